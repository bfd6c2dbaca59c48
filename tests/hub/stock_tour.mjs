// A tour of a stock `@huggingface/hub`, in a process of its own: `node stock_tour.mjs REPORT`, run in a folder
// whose node_modules holds it. HF_ENDPOINT, HF_TOKEN and TOUR_STRANGER come from the environment. REPORT
// receives {stop: "ok" or its stack}.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const hub = require("@huggingface/hub");
const hubUrl = process.env.HF_ENDPOINT;
const accessToken = process.env.HF_TOKEN;
const me = (await hub.whoAmI({ hubUrl, accessToken })).name;
const large = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(1 << 20)]);

async function newRepo(more = {}) {
	const name = `${me}/js-${randomBytes(4).toString("hex")}`;
	await hub.createRepo({ repo: name, hubUrl, accessToken, ...more });
	return name;
}

async function content(params) {
	const blob = await hub.downloadFile({ hubUrl, accessToken, ...params });
	return blob && Buffer.from(await blob.arrayBuffer());
}

async function all(items) {
	const found = [];
	for await (const item of items) found.push(item);
	return found;
}

const stops = {
	async create_with_files_and_license() {
		const repo = await newRepo({
			license: "mit",
			files: [{ path: "notes/ä b.txt", content: new Blob(["first"]) }],
		});
		assert.equal((await content({ repo, path: "notes/ä b.txt" })).toString(), "first");
		const info = await hub.modelInfo({ name: repo, hubUrl, accessToken, additionalFields: ["cardData", "sha"] });
		assert.equal(info.cardData.license, "mit");
		assert.match(info.sha, /^[0-9a-f]{40}$/);
		await assert.rejects(hub.createRepo({ repo, hubUrl, accessToken }), /already exists/);
	},
	async upload_and_download() {
		const repo = await newRepo();
		await hub.uploadFiles({
			repo,
			hubUrl,
			accessToken,
			files: [
				{ path: "model.safetensors", content: new Blob([large]) },
				{ path: "config.json", content: new Blob(["{}"]) },
			],
		});
		const got = await content({ repo, path: "model.safetensors" });
		assert.equal(
			createHash("sha256").update(got).digest("hex"),
			createHash("sha256").update(large).digest("hex"),
		);
		const info = await hub.fileDownloadInfo({ repo, path: "model.safetensors", hubUrl, accessToken });
		assert.equal(info.size, large.length);
		assert.ok(await hub.fileExists({ repo, path: "config.json", hubUrl, accessToken }));
		assert.ok(!(await hub.fileExists({ repo, path: "nope.json", hubUrl, accessToken })));
		assert.equal(await content({ repo, path: "nope.json" }), null);
	},
	async upload_by_xet() {
		const repo = await newRepo();
		await hub.uploadFile({
			repo,
			hubUrl,
			accessToken,
			useXet: true,
			file: { path: "w/model.bin", content: new Blob([large]) },
		});
		assert.ok((await content({ repo, path: "w/model.bin", xet: true })).equals(large));
	},
	async list_files_commits_and_paths() {
		const repo = await newRepo();
		for (const path of ["a.txt", "d/b.txt"]) {
			await hub.uploadFile({ repo, hubUrl, accessToken, file: { path, content: new Blob([path]) } });
		}
		const files = await all(hub.listFiles({ repo, recursive: true, hubUrl, accessToken }));
		assert.deepEqual(files.map((file) => file.path), [".gitattributes", "a.txt", "d", "d/b.txt"]);
		assert.equal(await hub.countCommits({ repo, hubUrl, accessToken }), 3);
		assert.equal((await all(hub.listCommits({ repo, hubUrl, accessToken }))).length, 3);
		const [entry] = await hub.pathsInfo({ repo, paths: ["d/b.txt"], expand: true, hubUrl, accessToken });
		assert.equal(entry.size, 7);
		await hub.deleteFiles({ repo, paths: ["a.txt"], hubUrl, accessToken });
		assert.ok(!(await hub.fileExists({ repo, path: "a.txt", hubUrl, accessToken })));
	},
	async branches() {
		const repo = await newRepo();
		await hub.createBranch({ repo, branch: "dev/x", hubUrl, accessToken });
		await hub.uploadFile({
			repo,
			branch: "dev/x",
			hubUrl,
			accessToken,
			file: { path: "x.txt", content: new Blob(["dev"]) },
		});
		assert.equal((await content({ repo, path: "x.txt", revision: "dev/x" })).toString(), "dev");
		assert.equal(await content({ repo, path: "x.txt" }), null);
		await hub.deleteBranch({ repo, branch: "dev/x", hubUrl, accessToken });
	},
	async lists_and_privacy() {
		const repo = await newRepo({ visibility: "private" });
		const stranger = process.env.TOUR_STRANGER;
		assert.ok(await hub.repoExists({ repo, hubUrl, accessToken }));
		assert.ok(!(await hub.repoExists({ repo, hubUrl, accessToken: stranger })));
		const mine = await all(hub.listModels({ search: { owner: me }, hubUrl, accessToken }));
		assert.ok(mine.some((model) => model.name === repo && model.private));
		const theirs = await all(hub.listModels({ search: { owner: me }, hubUrl, accessToken: stranger }));
		assert.ok(!theirs.some((model) => model.name === repo));
		await assert.rejects(content({ repo, path: ".gitattributes", accessToken: stranger }));
		await hub.checkRepoAccess({ repo, hubUrl, accessToken });
		await hub.deleteRepo({ repo, hubUrl, accessToken });
		assert.ok(!(await hub.repoExists({ repo, hubUrl, accessToken })));
	},
	async data_sets() {
		const repo = { type: "dataset", name: `${me}/js-${randomBytes(4).toString("hex")}` };
		await hub.createRepo({ repo, hubUrl, accessToken });
		await hub.uploadFile({ repo, hubUrl, accessToken, file: { path: "s.nii.gz", content: new Blob([large]) } });
		assert.ok((await content({ repo, path: "s.nii.gz" })).equals(large));
		assert.equal((await hub.datasetInfo({ name: repo.name, hubUrl, accessToken })).name, repo.name);
	},
};

const report = {};
for (const [name, stop] of Object.entries(stops)) {
	try {
		await stop();
		report[name] = "ok";
	} catch (error) {
		report[name] = error.stack ?? String(error);
	}
}
writeFileSync(process.argv[2], JSON.stringify(report));

"""The registry server. Read `hub.app` first: it wires everything."""

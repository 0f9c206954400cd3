"""Our own launcher: a small process that starts sandboxes.

engine (client.py) ── SOCK_SEQPACKET ── launcher (server.py) ── clone ── sandbox's pid 1 (child.py) ── fork ── command

The launcher has one thread, no event loop and few imports, so cloning it is quick and safe. Its working directory is
the store's. For each start it clones a process into new namespaces, writes its id maps, and only waits for its end;
building the root (root.py, system.py, targets.py), the handshake with the engine and the command (command.py) are done
by the clone itself, on a socket of its own, so that starts don't wait for each other.

If the engine dies, the launcher reads the end of its socket and exits; if the launcher dies, every pid 1 gets its
parent-death signal, and with pid 1 the kernel ends the whole pid namespace and its mounts.
"""

"""Runs Python scripts as processes forked from one that has imported the large libraries, which takes seconds each time.

    python_server.py SOCKET OWNER LIBRARY...    until the process OWNER ends

A connection sends one line of JSON, {"script", "args"}, and is answered by one: {"code", "stdout", "stderr"}. Each script runs as
`python SCRIPT ARGS` or `python -c CODE ARGS` would: __main__, its own folder first on the path, exit codes as of sys.exit and of errors that nobody catches.
"""

import fcntl
import importlib
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import sys
import tempfile
import traceback


def run(script: str, arguments: list[str]) -> int:
    """The script in this process; its exit code."""
    try:
        if script == "-c":
            sys.argv = ["-c", *arguments[1:]]
            sys.path[0] = ""
            code = compile(arguments[0], "<string>", "exec")
            exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
        else:
            sys.argv = [script, *arguments]
            sys.path[0] = str(pathlib.Path(script).resolve().parent)
            runpy.run_path(script, run_name="__main__")
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def serve(connection: socket.socket) -> None:
    """Answers one connection, with the script in a process of its own, which may end as it likes."""
    with connection.makefile("rw", encoding="utf-8") as stream, tempfile.TemporaryDirectory() as folder:
        request = json.loads(stream.readline())
        files = [pathlib.Path(folder, name) for name in ("stdout", "stderr")]
        child = os.fork()
        if child == 0:
            for descriptor, file in enumerate(files, 1):
                os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND), descriptor)
            os._exit(run(request["script"], request["args"]))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        stdout, stderr = [file.read_text(encoding="utf-8", errors="replace") if file.exists() else "" for file in files]
        stream.write(json.dumps({"code": code, "stdout": stdout, "stderr": stderr}) + "\n")


def main() -> None:
    address, owner, *libraries = sys.argv[1:]
    lock = open(f"{address}.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # another has been started there
    pathlib.Path(address).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    for library in libraries:
        importlib.import_module(library)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener], [], [], 2)
        try:
            os.kill(int(owner), 0)
        except OSError:
            break
        if not ready:
            continue
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            serve(connection)
            os._exit(0)
        connection.close()
    os.unlink(address)
    os.unlink(lock.name)


if __name__ == "__main__":
    main()

"""An ASGI application on a free loopback port, in a thread of this process."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

HOST: Final = "127.0.0.1"

_START_SECONDS: Final = 60.0


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an application while the context lasts.

    Parameters
    ----------
    app
        What to serve.
    port
        0 takes a free one.

    Yields
    ------
    str
        Base URL; the server answers by then.

    Raises
    ------
    OSError
        If the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # After a restart the port may still be in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=3600
        )
        server = uvicorn.Server(config)
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sandbox-exchange", daemon=True
        )
        thread.start()
        try:
            # The port is bound by now, but only a started server answers.
            _wait_until_started(server, thread)
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            # Otherwise uvicorn waits for the clients' idle connections to close.
            server.force_exit = True
            thread.join(timeout=5)


def _is_news(record: logging.LogRecord) -> bool:
    """Not the word about answers that were cut on purpose."""
    return "without completing response" not in record.getMessage()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise OSError("the loopback exchange did not start")
        time.sleep(0.01)

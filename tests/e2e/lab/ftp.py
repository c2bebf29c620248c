# SPDX-License-Identifier: BSD-3-Clause
"""An FTP server for anybody, a program of its own: ftp.py PORT DIRECTORY [ADDRESS FIRST LAST].

With the last three it names ADDRESS in its answers to PASV, and takes data connections on ports FIRST to LAST. It
connects to whatever address a client names (PORT, EPRT), as no server should: so a test sees what a router does about
it.
"""

import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.log import config_logging
    from pyftpdlib.servers import FTPServer


def main():
    """Serves until killed; says so once it listens."""
    port, directory, *passive = sys.argv[1:]
    config_logging(level="ERROR")
    FTPHandler.authorizer = DummyAuthorizer()
    FTPHandler.authorizer.add_anonymous(directory, perm="elr")
    FTPHandler.permit_foreign_addresses = True
    FTPHandler.use_sendfile = False
    if passive:
        FTPHandler.masquerade_address = passive[0]
        FTPHandler.passive_ports = range(int(passive[1]), int(passive[2]) + 1)
    server = FTPServer(("0.0.0.0", int(port)), FTPHandler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Certificates, good and bad, made by openssl(1) in a folder of the test run."""

import base64
import dataclasses
import hashlib
import os
import subprocess

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
CONFIG = """
[ca]
default_ca = own
[own]
dir = .
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Paths of the PEM files of a certificate and its key."""

    chain: str
    key: str

    @property
    def pin(self):
        """The name of its public key, as the option `pin` takes it."""
        pem = subprocess.run(["openssl", "x509", "-in", self.chain, "-noout", "-pubkey"],
                             check=True, capture_output=True).stdout  # fmt: skip
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem,
                             check=True, capture_output=True).stdout  # fmt: skip
        return "sha256/" + base64.b64encode(hashlib.sha256(der).digest()).decode()


class Authority:
    """A CA of its own. `file` is what trusts it."""

    def __init__(self, folder, name="authority"):
        self._folder = os.path.join(folder, name)
        os.mkdir(self._folder)
        with open(self._path("ca.conf"), "w", encoding="ascii") as file:
            file.write(CONFIG)
        with open(self._path("index.txt"), "w", encoding="ascii"):
            pass
        self.file = self._path("ca.pem")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", f"/CN={name}",
                  "-addext", "basicConstraints=critical,CA:TRUE",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _run(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)

    def issue(self, name, names=NAMES, start="20200101000000Z", end="20991231235959Z", usage="serverAuth"):
        """A server's certificate, or with the usage clientAuth a client's."""
        self._request(name)
        with open(self._path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
        self._run("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile",
                  "ca.key", "-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext",
                  "-startdate", start, "-enddate", end)  # fmt: skip
        return Certificate(self._path(f"{name}.pem"), self._path(f"{name}.key"))

    def _request(self, name):
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")  # fmt: skip

    def self_signed(self, name, names=NAMES):
        """A server's certificate that vouches for itself."""
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                  "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")  # fmt: skip
        return Certificate(self._path(f"{name}.pem"), self._path(f"{name}.key"))

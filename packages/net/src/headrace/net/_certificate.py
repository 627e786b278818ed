"""A peer's certificate as a mapping."""

import hashlib
import ssl
from typing import Any


def describe_certificate(tls: ssl.SSLObject) -> dict[str, Any]:
    """Return the peer's certificate; empty if it sent none.

    Of a certificate that was not checked only `raw` and the fingerprints are known:
    `ssl` does not take it apart.

    Source: spec H-148.
    """
    raw = tls.getpeercert(binary_form=True)
    if raw is None:
        return {}
    result: dict[str, Any] = {}
    parsed = tls.getpeercert()
    if parsed:
        result = _parsed(parsed)
    result["raw"] = raw
    result["fingerprint"] = _fingerprint("sha1", raw)
    result["fingerprint256"] = _fingerprint("sha256", raw)
    result["fingerprint512"] = _fingerprint("sha512", raw)
    return result


def _parsed(certificate: Any) -> dict[str, Any]:
    return {
        "subject": _names(certificate.get("subject", ())),
        "issuer": _names(certificate.get("issuer", ())),
        "subjectaltname": ", ".join(
            f"{kind}:{name}" for kind, name in certificate.get("subjectAltName", ())
        ),
        "valid_from": certificate.get("notBefore"),
        "valid_to": certificate.get("notAfter"),
        "serial_number": certificate.get("serialNumber"),
    }


def _names(rows: Any) -> dict[str, Any]:
    """Return the parts of a distinguished name; a repeated one as a list."""
    result: dict[str, Any] = {}
    for row in rows:
        for name, value in row:
            if name not in result:
                result[name] = value
            elif isinstance(result[name], list):
                result[name].append(value)
            else:
                result[name] = [result[name], value]
    return result


def _fingerprint(algorithm: str, raw: bytes) -> str:
    # An identifier, not a protection: SHA-1 is what people compare by hand.
    digest = hashlib.new(algorithm, raw, usedforsecurity=False)
    return digest.digest().hex(":").upper()

"""Makes fernet.json with Python's cryptography (Debian: python3-cryptography): python3 make-fernet.py > fernet.json"""
import base64, json, sys
import cryptography
from cryptography.fernet import Fernet, MultiFernet

keys = [base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3)]
secrets = [b"", b"hello", b"ghp_0123456789abcdef", bytes(range(256)), "pässwörd 🔑".encode(), b"x" * 15, b"x" * 16, b"y" * 4096]
made_at = 1_700_000_000
cases = [
    {"key": key, "madeAt": made_at + at, "secret": base64.b64encode(secret).decode(),
     "token": Fernet(key).encrypt_at_time(secret, made_at + at).decode()}
    for key in keys for at, secret in enumerate(secrets)
]
rotated = MultiFernet([Fernet(keys[0]), Fernet(keys[1])]).rotate(Fernet(keys[1]).encrypt_at_time(b"rotated", made_at)).decode()
json.dump({"madeBy": f"cryptography {cryptography.__version__}", "keys": keys, "cases": cases, "rotated": rotated}, sys.stdout, indent=1)
print()

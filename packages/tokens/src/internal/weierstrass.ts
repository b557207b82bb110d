interface Curve {
  readonly bytes: number
  readonly prime: bigint
  readonly b: bigint
}

/** NIST SP 800-186 section 3.2.1; `a` is −3 on each. */
const curves: Readonly<Record<string, Curve>> = {
  'P-256': {
    bytes: 32,
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    bytes: 48,
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  'P-521': {
    bytes: 66,
    prime: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
}

function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

/** True for the coordinates, of full length (RFC 7518 section 6.2.1.2), of a point on the named curve. */
export function isOnCurve(name: string, x: Uint8Array, y: Uint8Array): boolean {
  const curve = Object.hasOwn(curves, name) ? curves[name] : undefined
  if (curve === undefined || x.length !== curve.bytes || y.length !== curve.bytes) return false
  const [xn, yn] = [bigEndian(x), bigEndian(y)]
  if (xn >= curve.prime || yn >= curve.prime) return false
  return (yn * yn - xn * xn * xn + 3n * xn - curve.b) % curve.prime === 0n
}

/**
 * The group of Ed25519 (RFC 8032 section 5.1) in plain integers, for public values only: it takes its time (about a
 * millisecond a key) and takes no care to hide what it computes.
 */
const prime = 2n ** 255n - 19n
const order = 2n ** 252n + 27742317777372353535851937790883648493n
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const rootOfMinusOne = 19681161376707505956807079304988542015446066515923890162744021073123829784752n

const mod = (value: bigint): bigint => {
  const rest = value % prime
  return rest < 0n ? rest + prime : rest
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % prime
    square = (square * square) % prime
  }
  return result
}

/** X, Y, Z, T of RFC 8032 section 5.1.4. */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint]

function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2))
  const b = mod((y1 + x1) * (y2 + x2))
  const c = mod(2n * t1 * d * t2)
  const dd = mod(2n * z1 * z2)
  const [e, f, g, h] = [b - a, dd - c, dd + c, b + a]
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

function multiply(point: Point, scalar: bigint): Point {
  let result: Point = [0n, 1n, 1n, 0n]
  let doubled = point
  for (let left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) result = add(result, doubled)
    doubled = add(doubled, doubled)
  }
  return result
}

const isIdentity = ([x, y, z]: Point): boolean => x === 0n && y === z

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0)
  return value
}

/** RFC 8032 section 5.1.3, refusing encodings that a strict encoder never makes. */
function decodePoint(bytes: Uint8Array): Point | undefined {
  const encoded = littleEndian(bytes)
  const sign = encoded >> 255n
  const y = encoded & (2n ** 255n - 1n)
  if (bytes.length !== 32 || y >= prime) return undefined
  const u = mod(y * y - 1n)
  const v = mod(d * y * y + 1n)
  let x = mod(u * v ** 3n * power(mod(u * v ** 7n), (prime - 5n) / 8n))
  const check = mod(v * x * x)
  if (check === mod(-u)) x = mod(x * rootOfMinusOne)
  else if (check !== u) return undefined
  if (x === 0n && sign === 1n) return undefined
  if ((x & 1n) !== sign) x = mod(-x)
  return [x, y, 1n, mod(x * y)]
}

/**
 * True for the canonical encoding of a point of the prime-order group other than the neutral one: what RFC 8032 key
 * generation makes. Small-order keys verify signatures that nobody made, mixed-order ones split engines
 * (Chalkias, Garillot, Nikolaenko: "Taming the many EdDSAs", 2020).
 */
export function isSoundPublicKey(bytes: Uint8Array): boolean {
  const point = decodePoint(bytes)
  return point !== undefined && !isIdentity(point) && isIdentity(multiply(point, order))
}

const bytesOf = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn))

const orderBytes = bytesOf(order)

/** `y` of the eight points whose order divides 8, in every encoding below 2^255. */
const smallOrder: readonly Uint8Array[] = [
  0n,
  1n,
  prime - 1n,
  prime,
  prime + 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
].map(bytesOf)
/** By the first byte and by the second: two of 10,000 signatures are looked at further. */
const firstOfSmall = new Uint8Array(256)
const secondOfSmall = new Uint8Array(256)
for (const [first = 0, second = 0] of smallOrder) {
  firstOfSmall[first] = 1
  secondOfSmall[second] = 1
}

function isSmallOrder(bytes: Uint8Array): boolean {
  if (firstOfSmall[bytes[0] ?? 0] === 0 || secondOfSmall[bytes[1] ?? 0] === 0) return false
  const unsigned = Uint8Array.from(bytes.subarray(0, 32), (byte, index) => (index === 31 ? byte & 0x7f : byte))
  return smallOrder.some((y) => y.every((byte, index) => byte === unsigned[index]))
}

function isBelowOrder(signature: Uint8Array): boolean {
  for (let index = 31; index >= 0; index--) {
    const byte = signature[32 + index] ?? 0
    const bound = orderBytes[index] ?? 0
    if (byte !== bound) return byte < bound
  }
  return false
}

/**
 * What engines judge differently about the 64 bytes of a signature, judged here once: S below the group order (RFC 8032
 * section 5.1.7; else a second signature can be made from the first) and R not of small order.
 */
export function isSoundSignature(signature: Uint8Array): boolean {
  return signature.length === 64 && isBelowOrder(signature) && !isSmallOrder(signature)
}

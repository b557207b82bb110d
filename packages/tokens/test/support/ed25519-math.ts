import { createHash } from 'node:crypto'

/** The curve in affine coordinates, written for reading and apart from the code under test: it makes the odd cases. */
export const p = 2n ** 255n - 19n
export const L = 2n ** 252n + 27742317777372353535851937790883648493n
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

export type Point = readonly [x: bigint, y: bigint]
export const mod = (a: bigint, m = p): bigint => ((a % m) + m) % m

function power(a: bigint, e: bigint): bigint {
  let result = 1n
  for (let b = mod(a), left = e; left > 0n; left >>= 1n, b = (b * b) % p) if (left & 1n) result = (result * b) % p
  return result
}
const inverse = (a: bigint): bigint => power(a, p - 2n)

export function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const t = mod(d * x1 * x2 * y1 * y2)
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + t)), mod((y1 * y2 + x1 * x2) * inverse(1n - t))]
}

export function multiply(point: Point, k: bigint): Point {
  let result: Point = [0n, 1n]
  for (let q = point, left = k; left > 0n; left >>= 1n, q = add(q, q)) if (left & 1n) result = add(result, q)
  return result
}

export const B: Point = [
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  46316835694926478169428394003475163141307993866256225615783033603165251855960n,
]

/** A point of order 8, so its multiples are all the small ones. */
export const T8: Point = (() => {
  for (let y = 2n; ; y++) {
    const u = mod(y * y - 1n)
    const v = mod(d * y * y + 1n)
    let x = power(u * inverse(v), (p + 3n) / 8n)
    if (mod(v * x * x) !== u) x = mod(x * power(2n, (p - 1n) / 4n))
    if (mod(v * x * x) !== u) continue
    const torsion = multiply([x, y], L)
    const [x4, y4] = multiply(torsion, 4n)
    if (!(x4 === 0n && y4 === 1n)) return torsion
  }
})()

export function littleEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

export function encode([x, y]: Point): Buffer {
  return littleEndian(y | ((x & 1n) << 255n))
}

function scalarOf(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

export function hash(r: Buffer, a: Buffer, message: Buffer): bigint {
  return mod(scalarOf(createHash('sha512').update(r).update(a).update(message).digest()), L)
}

/** Results of the last {@link sipHash}: two numbers need no object. Unsigned 32 bits each. */
export let hashLow = 0
export let hashHigh = 0

/**
 * SipHash-2-4 (Aumasson and Bernstein 2012) of `bytes[start..end)` in 32-bit halves: 64 bits, into `hashLow` and
 * `hashHigh`. Keyed, so that nobody who chooses ids can choose where they fall.
 *
 * @param key four words, little end first
 */
export function sipHash(key: Int32Array, bytes: Uint8Array, start: number, end: number): void {
  const k0l = key[0] ?? 0
  const k0h = key[1] ?? 0
  const k1l = key[2] ?? 0
  const k1h = key[3] ?? 0
  let v0l = k0l ^ 0x70736575
  let v0h = k0h ^ 0x736f6d65
  let v1l = k1l ^ 0x6e646f6d
  let v1h = k1h ^ 0x646f7261
  let v2l = k0l ^ 0x6e657261
  let v2h = k0h ^ 0x6c796765
  let v3l = k1l ^ 0x79746573
  let v3h = k1h ^ 0x74656462
  const length = end - start
  const words = length >>> 3
  let at = start
  // One turn for each word of the message, one for its end, one to finish: the rounds are written once.
  for (let turn = 0; turn <= words + 1; turn++) {
    let ml = 0
    let mh = 0
    if (turn < words) {
      ml = word(bytes, at)
      mh = word(bytes, at + 4)
      at += 8
    } else if (turn === words) {
      mh = length << 24
      for (let shift = 0; at < end; at++, shift += 8) {
        const byte = bytes[at] ?? 0
        if (shift < 32) ml |= byte << shift
        else mh |= byte << (shift - 32)
      }
    } else v2l ^= 0xff
    v3l ^= ml
    v3h ^= mh
    for (let rounds = turn > words ? 4 : 2; rounds > 0; rounds--) {
      let sum = (v0l >>> 0) + (v1l >>> 0)
      v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0
      v0l = sum | 0
      let turned = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = turned ^ v0l
      turned = v0l
      v0l = v0h
      v0h = turned
      sum = (v2l >>> 0) + (v3l >>> 0)
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0
      v2l = sum | 0
      turned = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = turned ^ v2l
      sum = (v0l >>> 0) + (v3l >>> 0)
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0
      v0l = sum | 0
      turned = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = turned ^ v0l
      sum = (v2l >>> 0) + (v1l >>> 0)
      v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0
      v2l = sum | 0
      turned = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = turned ^ v2l
      turned = v2l
      v2l = v2h
      v2h = turned
    }
    v0l ^= ml
    v0h ^= mh
  }
  hashLow = (v0l ^ v1l ^ v2l ^ v3l) >>> 0
  hashHigh = (v0h ^ v1h ^ v2h ^ v3h) >>> 0
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
}

/**
 * Where a key falls on a scale of 100: at least 0, below 100, the same for ever. Whoever is below 10 is below 25 too,
 * so a rollout by `bucket(userId, 'cutover') < percent` only ever takes people in. Another salt deals anew.
 *
 * Not for secrets: this is a mixing function, not a cryptographic one.
 */
export function bucket(key: string, salt: string): number {
  // The salt's length stands first, so that ('b', 'a') and ('', 'ab') differ.
  return (mix(fnv1a(`${salt.length}:${salt}${key}`)) / 2 ** 32) * 100
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return hash
}

/** FNV leaves neighbours beside each other: the finaliser of MurmurHash3 spreads them. */
function mix(hash: number): number {
  let spread = hash ^ (hash >>> 16)
  spread = Math.imul(spread, 0x85ebca6b)
  spread = Math.imul(spread ^ (spread >>> 13), 0xc2b2ae35)
  return (spread ^ (spread >>> 16)) >>> 0
}

/** Ids that this issuer makes. Whom another issuer names has a colon in the id, so nobody is two. */
const clientId = /^client_[\w-]{22}$/
const userId = /^user_[\w-]{22}$/

export function isClientId(id: string): boolean {
  return clientId.test(id)
}

export function isUserId(id: string): boolean {
  return userId.test(id)
}

/** Of somebody whom another issuer vouches for, after the name that its verifier was declared with. */
export function isForeignId(id: string): boolean {
  return id.includes(':')
}

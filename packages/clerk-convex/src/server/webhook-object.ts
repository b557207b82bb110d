/**
 * What an event is about. A membership is that of a user in an organisation, whichever id it has: leaving and joining
 * again makes another one, and only as one object do the two stay in order.
 *
 * @param alone what to call an object that has no id, so that it is put in order with nothing
 */
export function objectOf(type: string, data: Readonly<Record<string, unknown>>, alone = ''): string {
  const [kind = ''] = type.split('.')
  if (kind === 'organizationMembership') {
    const organization = idOf(data.organization, 'id')
    const user = idOf(data.public_user_data, 'user_id')
    if (organization !== undefined && user !== undefined) return `${kind}:${organization}:${user}`
  }
  return `${kind}:${idOf(data, 'id') ?? alone}`
}

function idOf(value: unknown, name: string): string | undefined {
  const id = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof id === 'string' ? id.slice(0, 256) : undefined
}

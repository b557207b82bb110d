/** Most permissions that one token spells out. */
const mostPermissions = 1_000

/** Version 2 of Clerk's session claims, where permissions are a bit mask for each feature of the organisation. */
export interface PermissionClaims {
  /** `fea`: `o:billing,u:profile,ou:projects`; those of the organisation have an `o`. */
  readonly features: string
  /** `o.per`: `read,manage`. */
  readonly permissions: string
  /** `o.fpm`: one decimal number for each feature of the organisation, its lowest bit the first permission. */
  readonly masks: string
}

/** `org:feature:permission`, as Clerk's own SDK names them. */
export function readPermissions({ features, permissions, masks }: PermissionClaims): readonly string[] {
  const names = split(permissions)
  const numbers = split(masks)
  const found: string[] = []
  for (const [index, feature] of organizationFeatures(features).entries()) {
    const mask = numbers[index]
    // A mask of thousands of digits costs quadratic time to read; 100 digits are 332 permissions.
    if (feature === '' || mask === undefined || !/^\d{1,100}$/.test(mask)) continue
    let bits = BigInt(mask)
    for (const permission of names) {
      if (bits === 0n) break
      if (found.length >= mostPermissions) return found
      if (permission !== '' && bits & 1n) found.push(`org:${feature}:${permission}`)
      bits >>= 1n
    }
  }
  return found
}

const organizationScopes = ['o', 'ou', 'uo']

/** In the order of their masks; none at all of a list that is not one, for any name left out would move the masks. */
function organizationFeatures(features: string): readonly string[] {
  const pairs = split(features).map((feature) => [feature.indexOf(':'), feature] as const)
  if (pairs.some(([colon]) => colon < 0)) return []
  return pairs.flatMap(([colon, feature]) =>
    organizationScopes.includes(feature.slice(0, colon)) ? [feature.slice(colon + 1)] : [],
  )
}

function split(list: string): readonly string[] {
  return list.split(',').map((part) => part.trim())
}

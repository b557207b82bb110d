import { type Answer, done, found, type Json, missing, refused } from './answer.ts'

interface Version {
  data: Json | null
  readonly createdTime: string
  deletionTime: string
  destroyed: boolean
}

interface Secret {
  readonly versions: Map<number, Version>
  currentVersion: number
  maxVersions: number
}

/** KV version 2: versions, compare-and-set, soft deletion and destruction. */
export interface KvEngine {
  handle(method: string, path: string, body: Json, query: URLSearchParams): Answer
  exists(path: string): boolean
  /** The versions whose data is still there, newest last. */
  liveVersions(path: string): readonly { readonly version: number; readonly data: Json }[]
}

/** Vault keeps so many versions unless told otherwise. */
const defaultMaxVersions = 10

export function createKvEngine(now: () => number): KvEngine {
  const secrets = new Map<string, Secret>()
  const time = (): string => new Date(now() * 1000).toISOString()
  const metadataOf = (version: number, { createdTime, deletionTime, destroyed }: Version): Json => ({
    created_time: createdTime,
    custom_metadata: null,
    deletion_time: deletionTime,
    destroyed,
    version,
  })

  function read(secret: Secret | undefined, wanted: number): Answer {
    const number = wanted === 0 ? (secret?.currentVersion ?? 0) : wanted
    const version = secret?.versions.get(number)
    if (version === undefined) return missing
    const gone = version.destroyed || version.deletionTime !== ''
    const data = { data: gone ? null : version.data, metadata: metadataOf(number, version) }
    // Deleted or destroyed: not found, and yet a body.
    return found(data, gone ? 404 : 200)
  }

  function write(path: string, body: Json): Answer {
    const { options, data } = body as { options?: { cas?: unknown }; data?: Json }
    if (typeof data !== 'object' || data === null) return refused('no data provided')
    const secret = secrets.get(path) ?? { versions: new Map(), currentVersion: 0, maxVersions: defaultMaxVersions }
    if (options?.cas !== undefined && options.cas !== secret.currentVersion) {
      return refused('check-and-set parameter did not match the current version')
    }
    secrets.set(path, secret)
    secret.currentVersion += 1
    const version: Version = { data: structuredClone(data), createdTime: time(), deletionTime: '', destroyed: false }
    secret.versions.set(secret.currentVersion, version)
    for (const old of secret.versions.keys()) {
      if (old <= secret.currentVersion - secret.maxVersions) secret.versions.delete(old)
    }
    return found(metadataOf(secret.currentVersion, version))
  }

  function each(path: string, body: Json, change: (version: Version) => void): Answer {
    const { versions } = body
    if (!Array.isArray(versions) || versions.length === 0) return refused('no version number provided')
    for (const number of versions) {
      const version = secrets.get(path)?.versions.get(Number(number))
      if (version !== undefined) change(version)
    }
    return done
  }

  function metadata(method: string, path: string, body: Json): Answer {
    if (method === 'LIST') {
      const folder = path === '' || path.endsWith('/') ? path : `${path}/`
      const below = [...secrets.keys()]
        .filter((name) => name.startsWith(folder))
        .map((name) => name.slice(folder.length))
      const keys = [...new Set(below.map((name) => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : name)))]
      return keys.length === 0 ? missing : found({ keys: keys.sort() })
    }
    const secret = secrets.get(path)
    if (method === 'DELETE') {
      secrets.delete(path)
      return done
    }
    if (method === 'POST') {
      const kept = secret ?? { versions: new Map(), currentVersion: 0, maxVersions: defaultMaxVersions }
      if (typeof body.max_versions === 'number') kept.maxVersions = body.max_versions || defaultMaxVersions
      secrets.set(path, kept)
      return done
    }
    if (secret === undefined) return missing
    const versions = Object.fromEntries(
      [...secret.versions].map(([number, version]) => {
        const { created_time, deletion_time, destroyed } = metadataOf(number, version)
        return [String(number), { created_time, deletion_time, destroyed }]
      }),
    )
    const oldest = Math.min(...secret.versions.keys())
    return found({
      cas_required: false,
      current_version: secret.currentVersion,
      delete_version_after: '0s',
      max_versions: secret.maxVersions,
      oldest_version: Number.isFinite(oldest) ? oldest : 0,
      versions,
    })
  }

  return {
    exists(path) {
      return secrets.has(path.slice(path.indexOf('/') + 1))
    },
    liveVersions(path) {
      const versions = [...(secrets.get(path)?.versions ?? [])]
      return versions.flatMap(([version, { data }]) => (data === null ? [] : [{ version, data }]))
    },
    handle(method, path, body, query) {
      const [kind = '', ...rest] = path.split('/')
      const name = rest.join('/')
      if (kind === 'metadata') return metadata(method, name, body)
      if (name === '') return missing
      if (kind === 'data' && method === 'GET') return read(secrets.get(name), Number(query.get('version') ?? 0))
      if (kind === 'data' && method === 'POST') return write(name, body)
      if (kind === 'data' && method === 'DELETE') {
        const { currentVersion = 0 } = secrets.get(name) ?? {}
        return each(name, { versions: [currentVersion] }, (version) => {
          version.deletionTime = time()
        })
      }
      if (kind === 'delete' && method === 'POST') {
        return each(name, body, (version) => {
          version.deletionTime = time()
        })
      }
      if (kind === 'undelete' && method === 'POST') {
        return each(name, body, (version) => {
          version.deletionTime = ''
        })
      }
      if (kind === 'destroy' && method === 'POST') {
        return each(name, body, (version) => {
          version.destroyed = true
          version.data = null
        })
      }
      return refused('unsupported operation', 405)
    },
  }
}

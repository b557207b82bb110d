import { createCipheriv, createDecipheriv, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { type Answer, done, found, type Json, missing, refused } from './answer.ts'

interface KeyVersion {
  readonly createdTime: string
  readonly privateKey?: KeyObject
  readonly publicKey?: string
  readonly secret?: Buffer
}

interface TransitKey {
  readonly type: string
  readonly derived: boolean
  readonly versions: Map<number, KeyVersion>
  exportable: boolean
  latestVersion: number
  minDecryptionVersion: number
  minEncryptionVersion: number
  minAvailableVersion: number
}

/** Keys that never leave: Ed25519 for signing, AES-256-GCM for wrapping. */
export interface TransitEngine {
  handle(method: string, path: string, body: Json): Answer
  exists(path: string): boolean
  /** As `vault write -f transit/keys/NAME/rotate` by somebody else would. */
  rotate(name: string): number
}

export function createTransitEngine(now: () => number): TransitEngine {
  const keys = new Map<string, TransitKey>()

  function freshVersion(type: string): KeyVersion {
    const createdTime = new Date(now() * 1000).toISOString()
    if (type !== 'ed25519') return { createdTime, secret: randomBytes(32) }
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const { x = '' } = publicKey.export({ format: 'jwk' })
    return { createdTime, privateKey, publicKey: Buffer.from(x, 'base64url').toString('base64') }
  }

  function create(name: string, body: Json): Answer {
    const type = body.type ?? 'aes256-gcm96'
    if (type !== 'ed25519' && type !== 'aes256-gcm96') return refused(`unknown key type ${String(type)}`)
    if (!keys.has(name)) {
      keys.set(name, {
        type,
        derived: body.derived === true,
        exportable: body.exportable === true,
        versions: new Map([[1, freshVersion(type)]]),
        latestVersion: 1,
        minDecryptionVersion: 1,
        minEncryptionVersion: 0,
        minAvailableVersion: 0,
      })
    }
    return read(name)
  }

  function read(name: string): Answer {
    const key = keys.get(name)
    if (key === undefined) return missing
    const shown = [...key.versions].filter(([version]) => version >= key.minDecryptionVersion)
    return found({
      name,
      type: key.type,
      derived: key.derived,
      exportable: key.exportable,
      allow_plaintext_backup: false,
      auto_rotate_period: 0,
      deletion_allowed: false,
      imported_key: false,
      latest_version: key.latestVersion,
      min_available_version: key.minAvailableVersion,
      min_decryption_version: key.minDecryptionVersion,
      min_encryption_version: key.minEncryptionVersion,
      supports_encryption: key.type !== 'ed25519',
      supports_decryption: key.type !== 'ed25519',
      supports_derivation: true,
      supports_signing: key.type === 'ed25519',
      keys: Object.fromEntries(
        shown.map(([version, { createdTime, publicKey }]) => [
          String(version),
          key.type === 'ed25519'
            ? { creation_time: createdTime, name: 'ed25519', public_key: key.derived ? '' : publicKey }
            : Math.floor(Date.parse(createdTime) / 1000),
        ]),
      ),
    })
  }

  function rotate(name: string): number {
    const key = keys.get(name)
    if (key === undefined) return 0
    key.latestVersion += 1
    key.versions.set(key.latestVersion, freshVersion(key.type))
    return key.latestVersion
  }

  function configure(key: TransitKey, body: Json): Answer {
    const decryption = Number(body.min_decryption_version ?? key.minDecryptionVersion) || 1
    const encryption = Number(body.min_encryption_version ?? key.minEncryptionVersion)
    if (decryption > key.latestVersion) {
      return refused(`cannot set min decryption version of ${decryption}, latest key version is ${key.latestVersion}`)
    }
    if (encryption > key.latestVersion) {
      return refused(`cannot set min encryption version of ${encryption}, latest key version is ${key.latestVersion}`)
    }
    if (encryption > 0 && encryption < decryption) {
      return refused(
        `cannot set min encryption/decryption values; min encryption version of ${encryption} must be greater than or equal to min decryption version of ${decryption}`,
      )
    }
    key.minDecryptionVersion = decryption
    key.minEncryptionVersion = encryption
    if (body.exportable === true) key.exportable = true
    return done
  }

  function trim(key: TransitKey, body: Json): Answer {
    const least = Number(body.min_available_version ?? 0)
    if (key.minEncryptionVersion === 0) {
      return refused('minimum available version cannot be set when minimum encryption version is not set')
    }
    if (least > key.minEncryptionVersion || least > key.minDecryptionVersion) {
      return refused('minimum available version cannot be greater than minimum encryption or decryption version')
    }
    if (least < key.minAvailableVersion) return refused('minimum available version cannot be decremented')
    key.minAvailableVersion = least
    for (const version of key.versions.keys()) if (version < least) key.versions.delete(version)
    return done
  }

  function signWith(key: TransitKey, body: Json): Answer {
    if (key.type !== 'ed25519') return refused(`key type ${key.type} does not support signing`)
    if (key.derived) return refused("missing 'context' for key derivation")
    if (body.prehashed === true) return refused('prehashed input is not part of this stand-in')
    const version = Number(body.key_version ?? 0) || key.latestVersion
    if (version > key.latestVersion) {
      return refused('requested version for signing is higher than the latest key version')
    }
    if (version < Math.max(key.minEncryptionVersion, key.minDecryptionVersion)) {
      return refused('requested version for signing is less than the minimum encryption key version')
    }
    const privateKey = key.versions.get(version)?.privateKey
    if (typeof body.input !== 'string' || privateKey === undefined) return refused('missing input')
    const bytes = sign(null, Buffer.from(body.input, 'base64'), privateKey)
    const text = bytes.toString(body.marshaling_algorithm === 'jws' ? 'base64url' : 'base64')
    return found({ signature: `vault:v${version}:${text}`, key_version: version })
  }

  function encrypt(key: TransitKey, plaintext: Buffer): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key.versions.get(key.latestVersion)?.secret ?? randomBytes(32), iv)
    const bytes = Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    return `vault:v${key.latestVersion}:${bytes.toString('base64')}`
  }

  function decrypt(key: TransitKey, body: Json): Answer {
    const [, version, text = ''] = /^vault:v(\d+):(.+)$/.exec(String(body.ciphertext)) ?? []
    const secret = key.versions.get(Number(version))?.secret
    if (secret === undefined) return refused('invalid ciphertext: no prefix')
    if (Number(version) < key.minDecryptionVersion) {
      return refused('ciphertext or signature version is disallowed by policy (too old)')
    }
    try {
      const bytes = Buffer.from(text, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, 12))
      decipher.setAuthTag(bytes.subarray(-16))
      const plaintext = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
      return found({ plaintext: plaintext.toString('base64') })
    } catch {
      return refused('cipher: message authentication failed')
    }
  }

  function use(kind: string, key: TransitKey, body: Json): Answer {
    if (kind === 'sign') return signWith(key, body)
    if (key.type === 'ed25519') return refused(`key type ${key.type} does not support encryption`)
    if (kind === 'decrypt') return decrypt(key, body)
    if (kind === 'encrypt') {
      return found({
        ciphertext: encrypt(key, Buffer.from(String(body.plaintext), 'base64')),
        key_version: key.latestVersion,
      })
    }
    const plaintext = randomBytes(32)
    const ciphertext = encrypt(key, plaintext)
    return found({ ciphertext, plaintext: plaintext.toString('base64'), key_version: key.latestVersion })
  }

  return {
    exists: (path) => keys.has(path.split('/')[1] ?? ''),
    rotate,
    handle(method, path, body) {
      const [kind = '', first = '', second = ''] = path.split('/')
      if (kind === 'keys' && second === '') {
        if (method === 'GET') return read(first)
        return method === 'POST' ? create(first, body) : refused('unsupported operation', 405)
      }
      if (method !== 'POST') return refused('unsupported operation', 405)
      const name = kind === 'datakey' ? second : first
      const key = keys.get(name)
      if (key === undefined) return refused(kind === 'sign' ? 'signing key not found' : 'encryption key not found')
      if (kind === 'keys' && second === 'rotate') {
        rotate(name)
        return read(name)
      }
      if (kind === 'keys' && second === 'config') return configure(key, body)
      if (kind === 'keys' && second === 'trim') return trim(key, body)
      if (kind === 'datakey' && first !== 'plaintext') return refused("invalid path, must be 'plaintext'")
      return ['sign', 'encrypt', 'decrypt', 'datakey'].includes(kind) ? use(kind, key, body) : missing
    },
  }
}

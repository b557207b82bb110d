import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { stagesOf, wordsOf } from '../dockerfile.mjs'
import { knownVariables } from './known-variables.ts'

interface Service {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly networks: readonly string[]
  readonly ports?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: object
  readonly restart?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, object>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const folder = fileURLToPath(new URL('..', import.meta.url))
const compose: Compose = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8'), { merge: true })
const services = Object.entries(compose.services)
const instances = services.filter(([, { image }]) => image === 'countersign')

describe('compose.yaml', () => {
  it('names nothing that is not there', () => {
    /** Made by whoever runs it; the guide says how. */
    const ofTheOperator = ['./config', './tls', './secrets/kek', './secrets/database-password']
    for (const [name, service] of services) {
      for (const network of service.networks) expect(compose.networks, name).toHaveProperty(network)
      for (const secret of service.secrets ?? []) expect(compose.secrets, name).toHaveProperty(secret)
      for (const needed of Object.keys(service.depends_on ?? {})) expect(compose.services, name).toHaveProperty(needed)
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':')
        if (!source.startsWith('.')) expect(compose.volumes, name).toHaveProperty(source)
        else if (!ofTheOperator.includes(source)) expect(existsSync(join(folder, source)), source).toBe(true)
      }
    }
    for (const { file } of Object.values(compose.secrets)) expect(ofTheOperator).toContain(file)
    for (const [, { build }] of instances) {
      expect(existsSync(join(folder, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true)
    }
  })

  it('takes every other image by its version', () => {
    const images = services.filter(([, { build }]) => build === undefined).map(([, { image }]) => image)
    for (const image of images) expect(image).toMatch(/^[\w/.-]+:\d+\.\d+(\.\d+)?-[a-z]+$/u)
  })

  it('runs two instances that can write nothing but their own audit log, and hold no right', () => {
    expect(instances).toHaveLength(2)
    const [user] = wordsOf(stagesOf(readFileSync(join(folder, 'Dockerfile'), 'utf8')).at(-1) as never, 'USER')
    expect(readFileSync(join(folder, 'compose.yaml'), 'utf8')).toContain(`user ${user?.split(':')[0]}`)
    for (const [, service] of instances) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      expect(service.volumes?.filter((volume) => !volume.endsWith(':ro'))).toEqual([
        expect.stringMatching(/^audit-\d:\/data$/u),
      ])
      expect(service.networks).toEqual(['inside'])
      expect(service.ports).toBeUndefined()
    }
    expect(
      new Set(instances.flatMap(([, { volumes }]) => volumes?.filter((one) => one.startsWith('audit')))).size,
    ).toBe(2)
    expect(compose.networks.inside).toEqual({ internal: true })
  })

  it('sets only what the configuration knows, and no secret in the clear', () => {
    for (const [, { environment = {} }] of instances) {
      expect(Object.keys(environment).filter((name) => !knownVariables.has(name))).toEqual([])
      expect(environment.COUNTERSIGN_DATABASE_URL).not.toMatch(/:[^/@]+@/u)
      for (const name of ['COUNTERSIGN_KEK_FILE', 'COUNTERSIGN_DATABASE_PASSWORD_FILE']) {
        const secret = environment[name]?.replace('/run/secrets/', '') ?? ''
        expect(instances[0]?.[1].secrets).toContain(secret)
      }
      expect(environment.COUNTERSIGN_TRUST_PROXY).toBe('1')
    }
    expect(compose.services.database?.environment).not.toHaveProperty('POSTGRES_PASSWORD')
  })

  it('waits for what is needed, and starts again what ended', () => {
    for (const [name, { restart }] of services) expect(restart, name).toBe('unless-stopped')
    for (const [, { depends_on }] of instances) expect(depends_on?.database?.condition).toBe('service_healthy')
    expect(compose.services.database?.healthcheck).toBeDefined()
    expect(Object.keys(compose.services.proxy?.depends_on ?? {})).toEqual(instances.map(([name]) => name))
    const proxy = readFileSync(join(folder, 'nginx/countersign.conf'), 'utf8')
    const servers = [...proxy.matchAll(/^ {2}server ([\w-]+):(\d+) /gm)].map(([, host, port]) => [host, port])
    expect(servers).toEqual(instances.map(([name]) => [name, '4600']))
  })
})

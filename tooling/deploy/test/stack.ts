import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createDatabase, freePort } from '@countersign-tooling/postgres'
import { parse } from 'yaml'

export const hostName = 'auth.example.com'
export const password = 'correct horse battery staple'

const deploy = fileURLToPath(new URL('..', import.meta.url))
const main = join(deploy, 'node_modules/@countersign/cli/dist/main.js')

export interface Instance {
  readonly process: ChildProcess
  readonly url: string
  /** Its log so far. */
  log(): string
}

/** What compose.yaml runs, without containers: PostgreSQL, two instances, nginx with the configuration that is shipped. */
export interface Stack {
  readonly instances: readonly Instance[]
  /** Of TLS. */
  readonly port: number
  readonly plainPort: number
  /** nginx's log so far. */
  proxyLog(): string
  readonly ca: string
  command(...argv: readonly string[]): string
  close(): Promise<void>
}

export async function startStack(): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-deploy-'))
  const database = await createDatabase()
  const running: ChildProcess[] = []
  const close = async (): Promise<void> => {
    await Promise.all(running.map((child) => end(child)))
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const environment = environmentOf(folder, database.url)
    // As the guide says.
    execFileSync('sh', ['-c', `umask 077 && head -c 32 /dev/urandom | basenc --base64url | tr -d '=' > kek`], {
      cwd: folder,
    })
    const config = join(folder, 'config')
    run(['init', config, '--issuer', `https://${hostName}`], environment(0))
    const at = ['--config', join(config, 'countersign.config.json')]
    const command = (...argv: readonly string[]): string => run([...argv, ...at], environment(0))
    run(['users', 'add', 'ada', ...at], environment(0), password)

    const instances: Instance[] = []
    for (const number of [1, 2]) {
      const child = spawn(process.execPath, [main, 'serve', '--json', ...at], { env: environment(number) })
      running.push(child)
      instances.push(await started(child))
    }
    const proxy = await startProxy(folder, instances)
    running.push(proxy.process)
    const { port, plainPort, ca, log } = proxy
    return { port, plainPort, ca, proxyLog: log, instances, command, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Compose's own, with this machine's places in place of the containers'. */
function environmentOf(folder: string, databaseUrl: string): (instance: number) => NodeJS.ProcessEnv {
  const compose = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true })
  const { COUNTERSIGN_DATABASE_PASSWORD_FILE: _, ...given } = compose.services['countersign-1'].environment
  return (instance) => ({
    PATH: process.env.PATH,
    ...given,
    COUNTERSIGN_ISSUER: `https://${hostName}`,
    COUNTERSIGN_DATABASE_URL: databaseUrl,
    COUNTERSIGN_KEK_FILE: join(folder, 'kek'),
    COUNTERSIGN_DATA_DIR: join(folder, `data-${instance}`),
    COUNTERSIGN_HOST: '127.0.0.1',
    COUNTERSIGN_PORT: '0',
    COUNTERSIGN_METRICS_PORT: '0',
  })
}

function run(argv: readonly string[], env: NodeJS.ProcessEnv, input = ''): string {
  return execFileSync(process.execPath, [main, ...argv], { env, input, encoding: 'utf8', stdio: 'pipe' })
}

async function started(child: ChildProcess): Promise<Instance> {
  let out = ''
  let log = ''
  child.stderr?.on('data', (data) => {
    log += data
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (data) => {
      out += data
      const found = /"url": "([^"]+)"/.exec(out)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}: ${out}${log}`)))
  })
  return { process: child, url, log: () => log }
}

async function startProxy(
  folder: string,
  instances: readonly Instance[],
): Promise<{ process: ChildProcess; port: number; plainPort: number; ca: string; log(): string }> {
  const tls = join(folder, 'tls')
  mkdirSync(tls)
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    join(tls, 'privkey.pem'),
  ]
  const name = ['-subj', `/CN=${hostName}`, '-addext', `subjectAltName=DNS:${hostName}`]
  const out = ['-days', '2', '-out', join(tls, 'fullchain.pem')]
  execFileSync('openssl', ['req', '-x509', ...key, ...name, ...out], { stdio: 'pipe' })
  const [port, plainPort] = [await freePort(), await freePort()]
  const site = readFileSync(join(deploy, 'nginx/countersign.conf'), 'utf8')
    .replaceAll('/etc/nginx/tls', tls)
    .replaceAll('listen 443', `listen 127.0.0.1:${port}`)
    .replaceAll('listen 80', `listen 127.0.0.1:${plainPort}`)
    .replace(/countersign-(\d):4600/g, (_, number) => new URL(instances[number - 1]?.url ?? '').host)
  writeFileSync(join(folder, 'site.conf'), site)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr info;
    events {}
    http { access_log off; ${temporary.join(' ')} include ${folder}/site.conf; }`,
  )
  cpSync(join(tls, 'fullchain.pem'), join(folder, 'ca.pem'))
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const listening = new Promise<void>((resolve) => {
    nginx.stderr?.on('data', (data) => {
      said += data
      if (said.includes('start worker') || said.includes('using the')) resolve()
    })
  })
  const failed = once(nginx, 'exit').then(() => Promise.reject(new Error(`nginx ended: ${said}`)))
  failed.catch(() => {})
  await Promise.race([failed, listening])
  return { process: nginx, port, plainPort, ca: readFileSync(join(folder, 'ca.pem'), 'utf8'), log: () => said }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  const [code] = await exited
  return code
}

import { spawnSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { emptyFolder } from './installation.ts'
import { run } from './run.ts'

let folder: string
beforeAll(async () => {
  folder = await emptyFolder()
  await Promise.all(
    ['bash', 'zsh', 'fish'].map(async (shell) => {
      const { stdout } = await run(['completion', shell])
      await writeFile(join(folder, `completion.${shell}`), stdout)
    }),
  )
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'empty', 'one file.json'), '')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a shell says, run without anybody's own settings. */
function shell(program: string, argv: readonly string[], script: string): string[] {
  const ran = spawnSync(program, [...argv, '-c', script], {
    cwd: join(folder, 'empty'),
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  })
  expect([ran.error, ran.stderr]).toEqual([undefined, ''])
  return ran.stdout.split('\n').filter((line) => line !== '')
}

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ')

/** Each completes the last word of a line, as its shell would. */
const completes: Readonly<Record<string, (words: readonly string[]) => string[]>> = {
  bash: (words) =>
    shell(
      'bash',
      ['--norc', '--noprofile'],
      `source ../completion.bash; COMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}
       _countersign; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ),
  zsh: (words) =>
    shell(
      'zsh',
      ['-f'],
      `source ../completion.zsh; typeset -a entries; _countersign_values ${quoted(words.slice(0, -1))}
       [[ $kind == file ]] && print -l -- *
       for entry in \${=values} "\${entries[@]%%:*}"; do [[ $entry == ${quoted([words.at(-1) ?? ''])}* ]] && print -r -- "$entry"; done; true`,
    ),
  fish: (words) =>
    shell('fish', ['--no-config'], `source ../completion.fish; complete -C ${quoted([words.join(' ')])}`).map(
      (line) => line.split('\t')[0] ?? '',
    ),
}

const lines: [line: string, includes: string[], excludes: string[]][] = [
  ['countersign ', ['init', 'auth', 'credentials', 'completion'], ['rotate', 'login']],
  ['countersign au', ['auth'], ['keys']],
  ['countersign auth ', ['login', 'status', 'token', 'refresh', 'logout'], ['keys', 'put']],
  ['countersign --config x.json keys ro', ['rotate'], ['revoke']],
  ['countersign --config keys users s', ['set-password'], ['status']],
  ['countersign --json credentials im', ['import-fernet'], ['put']],
  ['countersign auth login --', ['--issuer', '--identifier', '--json', '--config'], ['--all', '--version']],
  ['countersign auth logout --', ['--all', '--issuer'], ['--identifier']],
  ['countersign clients add x --refresh ', ['body', 'cookie', 'none'], ['--origin']],
  ['countersign completion ', ['bash', 'zsh', 'fish'], ['auth']],
  ['countersign credentials put x --file ', ['one file.json'], ['--owner']],
  ['countersign auth login --issuer ', [], ['login', '--client', 'one file.json']],
]

describe.each(Object.keys(completes))('completion in %s', (name) => {
  it.each(lines)('of `%s`', (line, includes, excludes) => {
    const found = completes[name]?.(line.split(' ')) ?? []
    const plain = found.map((word) => word.replaceAll('\\', '').replaceAll("'", ''))
    for (const word of includes) expect(plain).toContain(word)
    for (const word of excludes) expect(plain).not.toContain(word)
  })
})

describe('completion', () => {
  it('is registered with bash, and takes `--name=value` as bash takes it apart', () => {
    expect(shell('bash', ['--norc'], 'source ../completion.bash; complete -p countersign')).toEqual([
      'complete -F _countersign countersign',
    ])
    const found = completes.bash?.(['countersign', 'clients', 'add', 'x', '--refresh', '=', 'bo'])
    expect(found).toEqual(['body'])
  })

  it('works in a zsh that completes, from a terminal of its own', () => {
    // In a pseudo-terminal, with a function in the program's place that says how it was called.
    const script = `zmodload zsh/zpty
      said() { all=; for i in {1..4000}; do zpty -r -t z line && all+=$line; [[ $all == *"$1"* ]] && return; sleep 0.02; done }
      typeset line all=
      zpty -b z "zsh -f -i"
      zpty -w z 'PS1= PROMPT_EOL_MARK=; autoload -Uz compinit; compinit -u -D; eval "$(<../completion.zsh)"
      bindkey "^I" complete-word; countersign() { print -r -- "CALLED $*" }; print -r -- REA""DY'
      said READY
      zpty -n -w z $'countersign cred\\tl\\t--own\\tx; print -r -- DO""NE\\n'
      said DONE
      zpty -d z; print -r -- "$all"`
    expect(shell('zsh', ['-f'], script).join('\n')).toContain('CALLED credentials list --owner x')
  })

  it('is one document with --json', async () => {
    const ran = await run(['completion', 'fish', '--json'])
    expect(ran.json()).toEqual({ shell: 'fish', script: (await run(['completion', 'fish'])).stdout })
  })
})

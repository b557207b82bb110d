/** What a shared password has at least: characters (code points after NFKC), and bits by {@link guessBits}. */
export const sharedPasswordBounds = { min: 16, max: 1024, bits: 64 } as const

/** Each stands for all of its spellings: case and the usual digits for letters do not count. */
const obviousWords: readonly string[] = [
  ...[
    'password',
    'passwort',
    'passphrase',
    'passcode',
    'secret',
    'changeme',
    'change',
    'letmein',
    'welcome',
    'default',
  ],
  ...[
    'admin',
    'administrator',
    'root',
    'user',
    'guest',
    'login',
    'service',
    'access',
    'master',
    'owner',
    'test',
    'demo',
  ],
  ...[
    'example',
    'sample',
    'temp',
    'hello',
    'dragon',
    'monkey',
    'iloveyou',
    'princess',
    'sunshine',
    'football',
    'please',
  ],
  ...[
    'local',
    'localhost',
    'server',
    'system',
    'computer',
    'internet',
    'developer',
    'development',
    'production',
    'staging',
  ],
  ...[
    'cmux',
    'countersign',
    'auth',
    'token',
    'shared',
    'correct',
    'horse',
    'battery',
    'staple',
    'replace',
    'insert',
    'your',
  ],
]
const lookAlikes: Readonly<Record<string, string>> = {
  ...{ '0': 'o', '1': 'i', '!': 'i', '3': 'e', '4': 'a', '@': 'a', '5': 's', $: 's', '7': 't' },
}
const keyboardRows = ['1234567890', 'qwertyuiop', 'qwertzuiop', 'azertyuiop', 'asdfghjkl', 'zxcvbnm', 'yxcvbnm']
const neighbours: ReadonlySet<string> = new Set(
  keyboardRows.flatMap((row) =>
    [...row].flatMap((key, at) => (at === 0 ? [] : [row[at - 1] + key, key + row[at - 1]])),
  ),
)

const bitsOf = { word: 6, run: 6, year: 6, letterOfWord: 2.5 } as const

/**
 * How many times somebody who knows how people choose must guess, as a power of two, estimated on the low side: obvious
 * words, runs (`abcd`, `1111`, `qwerty`), years and repetitions count as one choice each, and four letters in a row as
 * part of some word.
 */
export function guessBits(password: string): number {
  const text = password.normalize('NFKC')
  const repeated = /^(.+?)\1+$/su.exec(text)?.[1]
  if (repeated !== undefined) return guessBits(repeated) + Math.log2(text.length / repeated.length)
  const characters = [...text]
  const lower = characters.map((character) => character.toLowerCase())
  const plain = lower.map((character) => lookAlikes[character] ?? character).join('')
  const each = Math.log2(poolOf(text))
  let bits = 0
  for (let at = 0; at < characters.length; ) {
    const word = Math.max(wordAt(plain, at), wordAt(lower.join(''), at))
    const run = runAt(lower, at)
    const year = /^(?:19|20)\d\d/.test(text.slice(at, at + 4)) ? 4 : 0
    const letters = /^(?:\p{Ll}{4,}|\p{L}\p{Ll}{3,}|\p{Lu}{4,})/u.exec(characters.slice(at).join(''))?.[0].length ?? 0
    const longest = Math.max(word, run, year)
    if (longest > 0) {
      bits += bitsOf.word
      at += longest
    } else if (letters > 0) {
      bits += bitsOf.letterOfWord
      at += 1
    } else {
      bits += each
      at += 1
    }
  }
  return bits
}

/** How many characters there are of the kinds that it uses. */
function poolOf(text: string): number {
  const kinds: readonly (readonly [RegExp, number])[] = [
    [/[a-z]/, 26],
    [/[A-Z]/, 26],
    [/[0-9]/, 10],
    [/[\x20-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]/, 33],
    [/[^\x20-\x7e]/, 100],
  ]
  return kinds.reduce((sum, [kind, size]) => (kind.test(text) ? sum + size : sum), 0)
}

function wordAt(text: string, at: number): number {
  return obviousWords.reduce(
    (longest, word) => (text.startsWith(word, at) ? Math.max(longest, word.length) : longest),
    0,
  )
}

/** The length of `aaa`, `abc`, `cba` or `qwe` from here on; 0 under three. */
function runAt(characters: readonly string[], at: number): number {
  const steps: readonly ((one: string, next: string) => boolean)[] = [
    ...[0, 1, -1].map((step) => (one: string, next: string) => code(next) - code(one) === step),
    (one, next) => neighbours.has(one + next),
  ]
  let longest = 0
  for (const isStep of steps) {
    let end = at
    while (end + 1 < characters.length && isStep(characters[end] ?? '', characters[end + 1] ?? '')) end += 1
    longest = Math.max(longest, end - at + 1)
  }
  return longest >= 3 ? longest : 0
}

const code = (character: string): number => character.codePointAt(0) ?? 0

/**
 * What is wrong with a password that many share and a program keeps, so that nobody has to remember it.
 * @returns undefined if nothing is
 */
export function sharedPasswordFault(password: string): string | undefined {
  const { min, max, bits } = sharedPasswordBounds
  const length = [...password.normalize('NFKC')].length
  if (/\p{Cs}/u.test(password)) return 'it is no Unicode text'
  if (length < min || length > max) return `it has ${length} characters, and ${min} to ${max} are asked for`
  return guessBits(password) < bits ? 'it can be guessed: too much of it is words, runs or repetitions' : undefined
}

import { parseArgs } from 'node:util'

export interface TourArguments {
  /** Leave after the walk. */
  readonly once: boolean
  /** One JSON object as the last line of stdout. */
  readonly json: boolean
  /** Keep the fleet's data here; absent: a fresh folder under the operating system's temporary one, removed at the end. */
  readonly dataDir: string | undefined
  /** Where the token service keeps its data: `own` starts a PostgreSQL server for the tour. @default SQLite */
  readonly postgres: 'own' | { readonly url: string } | undefined
  readonly help: boolean
}

export const usage = `The tour: starts the fleet on loopback and walks every flow with real requests.

  npm start                        walk, then stay up until Ctrl-C
  npm start -- --once              leave after the walk; exit code 0 only if every step did what it should
  npm start -- --data DIR          keep the data (an empty folder) in DIR
  npm start -- --postgres          on PostgreSQL: starts a server of its own (Debian: apt-get install postgresql)
  npm start -- --database-url URL  on the empty database at postgres://USER@HOST/DATABASE
  npm start --silent -- --once --json
                                   the last line of stdout is one JSON object: steps, addresses, demo accounts
`

/** @throws TypeError for an argument that is not of the tour's */
export function readArguments(argv: readonly string[]): TourArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      data: { type: 'string' },
      postgres: { type: 'boolean', default: false },
      'database-url': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    strict: true,
    allowPositionals: false,
  })
  const url = values['database-url']
  if (url !== undefined && values.postgres) throw new TypeError('Give --postgres or --database-url, not both.')
  if (url !== undefined && !/^postgres(ql)?:\/\//u.test(url)) {
    throw new TypeError('--database-url takes postgres://USER@HOST/DATABASE.')
  }
  const postgres = values.postgres ? 'own' : url === undefined ? undefined : { url }
  return { once: values.once, json: values.json, dataDir: values.data, postgres, help: values.help }
}

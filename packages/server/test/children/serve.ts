// Serves a configuration (its issuer, consumers and data directory come as JSON) until its parent goes. Its time stands
// still, so that a slow machine cannot outlast the seconds in which a refresh may be repeated.
import { systemClock } from '@countersign/tokens'
import { resolveConfig, startTokenService } from '../../src/index.ts'

const [input = '', baseDir = '', now = ''] = process.argv.slice(2)
const service = await startTokenService(await resolveConfig(JSON.parse(input), { baseDir }), {
  logDestination: { write: () => {} },
  clock: { ...systemClock, now: () => Number(now) },
})
process.on('disconnect', () => {
  void service.close().then(() => process.exit(0))
})
process.send?.({ url: service.url })

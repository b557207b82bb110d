// Serves a configuration (its issuer, consumers and data directory come as JSON) until its parent goes.
import { resolveConfig, startTokenService } from '../../src/index.ts'

const [input = '', baseDir = ''] = process.argv.slice(2)
const service = await startTokenService(await resolveConfig(JSON.parse(input), { baseDir }), {
  logDestination: { write: () => {} },
})
process.on('disconnect', () => {
  void service.close().then(() => process.exit(0))
})
process.send?.({ url: service.url })

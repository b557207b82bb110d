// For each message: rotates the session's first refresh token 25 times at once, and answers with the outcomes.
import { openSqlite } from '../../src/sqlite.ts'
import { issued, NOW, refresh } from '../records.ts'

const [path = '', name = ''] = process.argv.slice(2)
const database = await openSqlite(path)
process.on('message', async (sessionId: string) => {
  if (sessionId === 'close') {
    await database.close()
    process.disconnect()
    return
  }
  const outcomes = await Promise.all(
    Array.from({ length: 25 }, (_, i) =>
      database.stores.issuer.sessions.rotate({
        presentedHash: `${sessionId}/first`,
        successor: refresh(`${sessionId}/${name}/${i}`, sessionId),
        issued: issued(`${sessionId}/${name}/${i}`, sessionId),
        now: NOW,
      }),
    ),
  )
  process.send?.(outcomes)
})
process.send?.('ready')

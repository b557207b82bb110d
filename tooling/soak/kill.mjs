// Kills the service with SIGKILL again and again while it revokes and refreshes: whatever it acknowledged is there after.

import { openSqlite } from '@countersign/storage/sqlite'
import { install, kill, post, refresh, signIn } from './fleet.mjs'

const wanted = Number(process.argv[2] ?? 10_000)
const fleet = await install()
/** Acknowledged: the sessions that were revoked, and the refresh tokens that were spent with the access tokens got for them. */
const revoked = []
const issued = []
let kills = 0

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** One session: refreshed until it is revoked. Ends when the service is gone. */
async function walk(url, seed, mayGoOn) {
  let token = seed
  for (let step = 0; mayGoOn(); step += 1) {
    const answer = await refresh(url, token)
    if (answer.status !== 200) return
    token = answer.body.refresh_token
    const { jti, sid } = claimsOf(answer.body.access_token)
    issued.push(jti)
    if (step % 20 === 19) {
      const done = await post(`${url}/oauth/revoke`, { token, client_id: 'web' })
      if (done.status === 200) revoked.push(sid)
      return
    }
  }
}

while (issued.length + revoked.length < wanted) {
  const { child, url } = await fleet.serve()
  const enough = issued.length + revoked.length + 300 + Math.floor(Math.random() * 700)
  const walkers = Array.from({ length: 8 }, async () => {
    try {
      while (child.signalCode === null) {
        const { status, refresh_token } = await signIn(url)
        if (status !== 200) return
        await walk(url, refresh_token, () => child.signalCode === null)
      }
    } catch {
      // The service was killed in the middle of a request: what was not answered was not acknowledged.
    }
  })
  while (issued.length + revoked.length < enough && child.exitCode === null) {
    await new Promise((done) => setTimeout(done, 2))
  }
  await kill(child)
  kills += 1
  await Promise.all(walkers)
}

const database = await openSqlite(fleet.config.databaseFile)
const { stores } = database
const { entries, position } = await stores.issuer.revocations.snapshot()
const inLog = new Set(entries.map((entry) => ('id' in entry ? entry.id : '')))
let lost = 0
for (const sid of revoked) {
  const session = await stores.issuer.sessions.byId(sid)
  if (session?.endedAt == null || !inLog.has(sid)) lost += 1
}
for (const jti of issued) if ((await stores.issuer.issued.status(jti)) === undefined) lost += 1
await database.close()
await fleet.remove()
console.log(
  `${issued.length} refreshes and ${revoked.length} revocations acknowledged, ${kills} kills, ${lost} lost; log at ${position.seq}`,
)
process.exit(lost === 0 ? 0 : 1)

import { expect, it } from 'vitest'
import { checkMessage, readSecret, signMessage, toleranceSeconds } from '../src/webhook-signature.ts'

const key = readSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') ?? Buffer.alloc(0)
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: '1614265330', body: '{"test": 2432232314}' }

it('signs as Standard Webhooks does', () => {
  expect(signMessage(key, message)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

it('takes any of its keys, and any of the signatures that came', () => {
  const other = Buffer.alloc(32, 1)
  const signature = `v1,AAAA v2,x ${signMessage(key, message)}`
  expect(checkMessage([other, key], message, signature, 1614265330)).toBeUndefined()
  expect(checkMessage([other], message, signature, 1614265330)).toBe('wrong_signature')
})

it('keeps to its tolerance, to the second, both ways', () => {
  const signature = signMessage(key, message)
  const at = (seconds: number) => checkMessage([key], message, signature, 1614265330 + seconds)
  expect([at(-toleranceSeconds), at(toleranceSeconds)]).toEqual([undefined, undefined])
  expect([at(-toleranceSeconds - 1), at(toleranceSeconds + 1)]).toEqual(['too_old_or_new', 'too_old_or_new'])
})

it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])('takes no secret like "%s"', (secret) => {
  expect(readSecret(secret)).toBeUndefined()
})

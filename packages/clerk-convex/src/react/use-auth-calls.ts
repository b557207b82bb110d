import type { MutationOptions } from 'convex/react'
import {
  type FunctionArgs,
  type FunctionReference,
  type FunctionReturnType,
  getFunctionName,
  type OptionalRestArgs,
} from 'convex/server'
import { useCallback } from 'react'
import type { unwrap } from '../denial.ts'
import { useKeptStore } from './convex-clerk-provider.tsx'

/** A call of a mutation or action: its result, or an `AuthError` if it was denied or not sent. */
export type AuthCall<Ref extends FunctionReference<'mutation' | 'action'>> = (
  ...args: OptionalRestArgs<Ref>
) => ReturnType<typeof unwrap<Awaited<FunctionReturnType<Ref>>>>

/**
 * Convex's `useMutation` that throws denials, and is refused at once while no token lives: `KeptAuth#mutation`.
 *
 * @example
 * const stop = useAuthMutation(api.runs.stop)
 * await stop({ id }) // AuthError: access_denied, no_live_token
 */
export function useAuthMutation<Ref extends FunctionReference<'mutation'>>(
  reference: Ref,
  options?: MutationOptions<FunctionArgs<Ref>>,
): AuthCall<Ref> {
  const store = useKeptStore()
  const optimisticUpdate = options?.optimisticUpdate
  // biome-ignore lint/correctness/useExhaustiveDependencies: `api.runs.stop` is a new object each time; its name is not
  return useCallback(
    async (...[args = {}]: OptionalRestArgs<Ref>) => store.kept.mutation(reference, args, { optimisticUpdate }),
    [store, getFunctionName(reference), optimisticUpdate],
  )
}

/** Convex's `useAction`, in the same way. */
export function useAuthAction<Ref extends FunctionReference<'action'>>(reference: Ref): AuthCall<Ref> {
  const store = useKeptStore()
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  return useCallback(
    async (...[args = {}]: OptionalRestArgs<Ref>) => store.kept.action(reference, args),
    [store, getFunctionName(reference)],
  )
}

/** A token of now, as after Clerk's reverification, before the call that asked for it is made again: `KeptAuth#renew`. */
export function useAuthRenewal(): () => Promise<void> {
  const store = useKeptStore()
  return useCallback(async () => store.kept.renew(), [store])
}

/** What is needed of a `ConvexClient` or a `ConvexReactClient`; both fit. */
export interface AuthenticatedClient {
  setAuth(
    fetchToken: (options: { forceRefreshToken: boolean }) => Promise<string | null | undefined>,
    onChange?: (isAuthenticated: boolean) => void,
  ): void
  /** Of a `ConvexReactClient`. */
  clearAuth?(): void
  /** Of a `ConvexClient`. */
  readonly client?: { clearAuth(): void }
  // Called with what its own types allow: `never` takes both clients' generic signatures.
  query(reference: never, args: never): Promise<unknown>
  mutation(reference: never, args: never, options: never): Promise<unknown>
  action(reference: never, args: never): Promise<unknown>
  connectionState(): {
    readonly isWebSocketConnected: boolean
    readonly hasEverConnected: boolean
    readonly inflightMutations: number
    readonly inflightActions: number
  }
  subscribeToConnectionState(listener: () => void): () => void
}

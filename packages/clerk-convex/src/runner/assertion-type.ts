/** The `typ` of a runner's assertion, so that it is taken for nothing else. */
export const assertionType = 'authorization-grant+jwt'

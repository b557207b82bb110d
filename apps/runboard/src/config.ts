/**
 * Sets the settings of the deployment that this process stands in for, as `npx convex env set` does. The functions read
 * them when they are loaded, so a process has one deployment.
 */
export function setDeployment(settings: Readonly<Record<string, string>>): void {
  Object.assign(process.env, settings)
}

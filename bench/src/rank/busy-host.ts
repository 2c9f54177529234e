export async function measureBusyHost(_: { quick: boolean }): Promise<void> {}

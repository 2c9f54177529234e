// Entries are the sentences of the changesets, without commit hashes and without the packages that were bumped along.
module.exports = {
  getReleaseLine: async ({ summary }) => `- ${summary.trim().replaceAll('\n', '\n  ')}`,
  getDependencyReleaseLine: async () => '',
}

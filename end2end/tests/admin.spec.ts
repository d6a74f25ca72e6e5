import { configured } from '../story/guest';
import { expect, needsRealNodes, test } from '../story/test';

test('the dashboard shows for every kind what there is, what is left, and charts of it', async ({ admin, lab }) => {
  await admin.open('/admin');
  const main = admin.page.locator('main');
  for (const word of ['Physical', 'Usable', 'Committed', 'Reserved', 'Available', 'Measured']) {
    await expect(main, word).toContainText(new RegExp(word, 'i'));
  }
  for (const kind of new Set(lab.nodes.map((node) => node.kind))) await expect(main).toContainText(new RegExp(kind, 'i'));
  for (const node of lab.nodes) await expect(main).toContainText(node.name);
  for (const offer of ['small', 'medium', 'large']) await expect(main).toContainText(offer);
  await expect(main).toContainText(/\d+ vCPUs?/);
  // A server that has just started has nothing to draw yet; the page draws it as soon as there is, by itself.
  await expect(main.locator('figure svg').first()).toBeVisible({ timeout: 90_000 });
});

test('the node list leads to every node', async ({ admin, lab }) => {
  await admin.open('/admin/nodes');
  for (const node of lab.nodes) {
    await expect(admin.page.locator(`main a[href="/admin/nodes/${node.name}"]`).first()).toBeVisible();
  }
  await admin.page.locator(`main a[href="/admin/nodes/${lab.nodes[0]?.name}"]`).first().click();
  await expect(admin.page).toHaveURL(new RegExp(`/admin/nodes/${lab.nodes[0]?.name}$`));
});

test('the page of a node has both sets of statistics side by side, fresh, and its VMs', async ({ admin, lab }) => {
  for (const node of lab.nodes) {
    await admin.open(`/admin/nodes/${node.name}`);
    for (const set of ['hypervisor', 'utility']) {
      const shown = admin.page.locator(`[data-set=${set}]`).first();
      await expect(shown, `${node.name} ${set}`).toBeVisible();
      await expect(shown, `${node.name} ${set}`).toHaveAttribute('data-stale', 'false');
    }
    await expect(admin.page.locator('main')).toContainText(node.uri);
    await expect(admin.page.locator('[data-more]'), `${node.name}: of each offer`).toHaveText(/^[\w-]+ \d+( · [\w-]+ \d+)+$/);
    const heard = admin.page.locator('tr').filter({ has: admin.page.getByText('Last heard', { exact: true }) });
    for (const said of ['Hypervisor', 'Utility module']) {
      await expect(heard.locator(`[data-label="${said}"]`), `${node.name} ${said}`).toHaveText(/^[\d.]+ (ms|s) ago$/);
    }
  }
  const shop = lab.vm('shop');
  const homes: string[] = [];
  for (const node of lab.nodes) {
    await admin.open(`/admin/nodes/${node.name}`);
    const listed = admin.page.locator(`section:has(h2:text-is("VMs on it")) a[href$="/vms/${shop.id}"]`);
    if (await listed.count()) homes.push(node.name);
  }
  expect(homes).toHaveLength(1);
  if (!lab.simulated) expect(homes).toEqual(lab.whereabouts(shop.id));
});

test('where the two sets disagree the page of the node shows both, until they agree again', async ({ admin, lab }) => {
  needsRealNodes(lab);
  const cutter = lab.vm('cutter');
  const node = lab.home(cutter.id);
  const differs = admin.page.locator('tr.facts-disagree').filter({ hasText: 'cutter' });
  await admin.open(`/admin/nodes/${node}`);
  await expect(differs).toHaveCount(0);
  // Behind Hostgrid's back: what was deployed is no longer what runs.
  const limit = (mib: number) => lab.virsh(node, 'memtune', cutter.id, '--hard-limit', `${mib}MiB`, '--live');
  const { memory_mib } = configured(lab, node, cutter.id, 'live');
  try {
    limit(memory_mib + 128);
    await expect(differs, 'seen by whoever looks on').toHaveCount(1);
    await expect(differs.locator('[data-label="Hypervisor"]')).toContainText(`${memory_mib + 128} MiB`);
    await expect(differs.locator('[data-label="Utility module"]')).toContainText(`${memory_mib} MiB`);
  } finally {
    limit(memory_mib);
  }
  await expect(differs, 'they agree again').toHaveCount(0);
});

test("the admin sees everybody's VMs and operations", async ({ admin, lab }) => {
  await admin.open('/vms');
  for (const vm of lab.vms) await expect(admin.page.locator(`main a[href="/vms/${vm.id}"]`).first()).toBeVisible();
  await admin.open('/admin/operations');
  for (const vm of lab.vms) await expect(admin.page.locator('main')).toContainText(vm.name);
});

test("what an admin types into a node's settings outlives what the page learns meanwhile", async ({ admin, lab }) => {
  await admin.open(`/admin/nodes/${lab.nodes[0]?.name}`);
  const field = admin.field('Reserve memory (MiB)');
  await field.fill('123');
  // Samples come every few seconds, and the page shows them as they come.
  await admin.page.waitForTimeout(8_000);
  await expect(field).toHaveValue('123');
});

test('a node that is not there is not found', async ({ admin, allow }) => {
  allow(/status of 404/);
  expect(await admin.open('/admin/nodes/no-such-node')).toBe(404);
});

test('the dashboard answers what fits, what can be lost or drained, and what is stranded', async ({ admin, lab }) => {
  await admin.open('/admin');
  const answers = admin.page.locator('.answers');
  for (const kind of new Set(lab.nodes.map((node) => node.kind))) await expect(answers).toContainText(kind);
  for (const offer of ['small', 'medium', 'large']) await expect(answers).toContainText(offer);
  for (const question of [/losing a node/i, /draining a node/i, /stranded/i]) await expect(answers).toContainText(question);
  await answers.getByText('By kind and offer').click();
  await expect(answers.getByText(/Runs out first/).first()).toBeVisible();
});

test("a node's failure domain is set, shown and taken back", async ({ admin, lab }) => {
  const node = lab.nodes[0]?.name;
  const set = async (word: string) => {
    await admin.open(`/admin/nodes/${node}`);
    await admin.field('Failure domain').fill(word);
    await admin.button('Save').click();
  };
  await set('rack 1');
  await expect(admin.problem).toBeVisible();
  await set('rack-1');
  await admin.open('/admin/nodes');
  await expect(admin.page.locator('main')).toContainText('rack-1');
  await admin.open('/admin');
  await expect(admin.page.locator('.answers')).toContainText('rack-1');
  await set('');
  await expect.poll(async () => {
    await admin.open('/admin/nodes');
    return admin.page.locator('main').innerText();
  }).not.toContain('rack-1');
});

test('what if is answered in the browser, by the address too, and changes nothing', async ({ admin, lab }) => {
  const node = lab.nodes[0]?.name ?? '';
  await admin.open('/admin/what-if');
  await expect(admin.page.locator('[data-what-if]')).toHaveCount(0);
  await admin.field('How many').fill('3');
  await admin.field('Like').selectOption(node);
  const asked: string[] = [];
  admin.page.on('request', (request) => void asked.push(new URL(request.url()).pathname));
  await admin.button('Show').click();
  const then = admin.page.locator('[data-what-if]');
  await expect(then).toContainText(`3 more nodes like ${node}`);
  await expect(then).toContainText('→');
  expect(asked.filter((path) => path.includes('what_if')), 'the server is not asked').toEqual([]);
  await admin.open(admin.page.url());
  await expect(then).toContainText(`3 more nodes like ${node}`);
  await admin.open('/admin/what-if?add=x');
  await expect(admin.problem).toContainText(/whole number/);
  await admin.open('/admin/nodes');
  await expect(admin.page.locator('main')).not.toContainText('what-if');
});

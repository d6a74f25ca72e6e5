import { expect, test } from '../story/test';

const adminPages = ['/admin', '/admin/nodes', '/admin/operations', '/admin/drift'];

test('whoever is signed out is sent to the sign-in page from everywhere', async ({ lab, visitor }) => {
  const { id } = lab.vm('shop');
  const pages = ['/vms', '/vms/new', `/vms/${id}`, `/vms/${id}/resize`, ...adminPages, `/admin/nodes/${lab.nodes[0]?.name}`];
  for (const path of pages) {
    await visitor.open(path);
    await expect(visitor.page, path).toHaveURL(/\/login/);
  }
});

test("another tenant's VM is not found, as if it weren't there", async ({ as, lab, allow }) => {
  allow(/status of 404/);
  const shop = lab.vm('shop');
  const stranger = await as(lab.vm('render').owner);
  expect(lab.vm('render').owner).not.toBe(shop.owner);
  const nothing = '00000000-0000-4000-8000-000000000000';
  for (const tail of ['', '/resize', '/resize?vcpus=2&memory_mib=256&disk_gib=1']) {
    expect(await stranger.open(`/vms/${shop.id}${tail}`), tail).toBe(404);
    const theirs = await stranger.said();
    expect(theirs).not.toContain(shop.name);
    expect(await stranger.open(`/vms/${nothing}${tail}`), tail).toBe(404);
    expect(await stranger.said()).toBe(theirs);
  }
  await stranger.open('/vms');
  expect(await stranger.page.content()).not.toContain(shop.id);
});

test("another tenant's operation is not found", async ({ as, lab, allow }) => {
  allow(/status of 404/);
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const [operation] = await owner.operationsOf(shop.id);
  expect(operation, 'the VM was deployed by an operation').toBeTruthy();
  expect(await owner.open(operation as string)).toBe(200);
  const stranger = await as(lab.vm('render').owner);
  expect(await stranger.open(operation as string)).toBe(404);
});

test('a customer is forbidden every page of the admin', async ({ as, lab, allow }) => {
  allow(/status of 403/);
  const customer = await as(lab.vm('shop').owner);
  for (const path of [...adminPages, ...lab.nodes.map((node) => `/admin/nodes/${node.name}`)]) {
    expect(await customer.open(path), path).toBe(403);
  }
});

test('a customer never gets the name or the address of a node', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const customer = await as(shop.owner);
  const secrets = lab.nodes.flatMap((node) => [node.name, node.uri, ...(/\d+\.\d+\.\d+\.\d+/.exec(node.uri) ?? [])]);
  const [operation] = await customer.operationsOf(shop.id);
  const pages = [
    '/vms',
    '/vms/new',
    `/vms/${shop.id}`,
    `/vms/${shop.id}/resize`,
    `/vms/${shop.id}/resize?vcpus=1&memory_mib=512&disk_gib=1`,
    `/vms/${shop.id}/resize?vcpus=1&memory_mib=1024&disk_gib=1`,
    `/vms/${shop.id}/resize?vcpus=16&memory_mib=8192&disk_gib=1`,
    operation as string,
  ];
  for (const path of pages) {
    // As it came over the wire: what the page's scripts would read stands there too.
    const sent = await (await customer.page.request.get(path)).text();
    await customer.open(path);
    for (const html of [sent, await customer.page.content()]) {
      for (const secret of secrets) expect(html.includes(secret), `${path} has ${secret}`).toBe(false);
    }
  }
});

test('a form that another site posts changes nothing', async ({ as, lab }) => {
  const owner = await as(lab.vm('shop').owner);
  await owner.open(`/vms/${lab.vm('shop').id}`);
  const action = await owner.button('Stop').evaluate((button: HTMLButtonElement) => button.form?.action ?? '');
  expect(action).not.toBe('');
  const before = await owner.operationsOf(lab.vm('shop').id);
  for (const origin of ['https://elsewhere.example', 'null']) {
    const answer = await owner.page.request.post(action, {
      headers: { Origin: origin, 'Sec-Fetch-Site': 'cross-site' },
      form: { id: lab.vm('shop').id, vm: lab.vm('shop').id },
      maxRedirects: 0,
    });
    expect(answer.status(), origin).toBe(403);
  }
  expect(await owner.operationsOf(lab.vm('shop').id)).toEqual(before);
});

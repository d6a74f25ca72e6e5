import type { Page } from '@playwright/test';
import type { Lab } from '../story/lab';
import type { Panel } from '../story/panel';
import { expect, test } from '../story/test';

const customerPages = (lab: Lab) => {
  const { id } = lab.vm('shop');
  const resize = `/vms/${id}/resize`;
  return [
    '/vms',
    '/vms/new',
    `/vms/${id}`,
    `/vms/${id}/delete`,
    resize,
    `${resize}?vcpus=2&memory_mib=320&disk_gib=1`,
    `${resize}?vcpus=20&memory_mib=512&disk_gib=1`,
    `${resize}?vcpus=x&memory_mib=-1&disk_gib=1`,
    `${resize}/later?vcpus=2&memory_mib=320&disk_gib=1`,
    `/vms/${id}/move`,
    `/vms/${id}/rebuild`,
  ];
};
const adminPages = (lab: Lab) => [
  '/admin',
  '/admin/what-if',
  `/admin/what-if?add=1&like=${lab.nodes[0]?.name}`,
  '/admin/nodes',
  `/admin/nodes/${lab.nodes[0]?.name}`,
  `/admin/nodes/${lab.nodes[0]?.name}/drain`,
  `/admin/nodes/${lab.nodes[0]?.name}/fence`,
  '/admin/rebalance',
  '/admin/drift',
  '/admin/operations',
  '/vms',
];

const tooWide = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** The background's colour as `r,g,b`, by way of a canvas. */
function paintedBackground(): string {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return '';
  for (const element of [document.documentElement, document.body]) {
    context.fillStyle = getComputedStyle(element).backgroundColor;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).join();
}

const brightness = (colour: string) => colour.split(',').reduce((sum, part) => sum + Number(part), 0) / 3 / 255;

for (const [colorScheme, viewport] of [
  ['light', { width: 1280, height: 720 }],
  ['dark', { width: 360, height: 740 }],
] as const) {
  test(`every page is alive, complains of nothing and fits, ${colorScheme} and ${viewport.width} wide`, async ({
    as,
    admin,
    lab,
    visitor,
  }) => {
    const customer = await as(lab.vm('shop').owner);
    const backgrounds = new Set<string>();
    for (const [panel, paths] of [
      [visitor, ['/login']],
      [customer, [...customerPages(lab), ...(await customer.operationsOf(lab.vm('shop').id))]],
      [admin, adminPages(lab)],
    ] as const) {
      await panel.page.emulateMedia({ colorScheme });
      await panel.page.setViewportSize(viewport);
      for (const path of paths) {
        expect(await panel.open(path), path).toBe(200);
        await expect(panel.page.locator('h1'), path).toHaveCount(1);
        expect(await panel.page.title(), path).toContain('Hostgrid');
        // What is really painted, whatever notation the style sheet uses.
        backgrounds.add(await panel.page.evaluate(paintedBackground));
        expect(await tooWide(panel.page), `${path}: it does not scroll sideways`).toBeLessThanOrEqual(0);
        const ways = panel.page.locator('.head-ways');
        const cut = await ways.evaluateAll((all) => all.map((each) => each.scrollWidth - each.clientWidth));
        expect(Math.max(0, ...cut), `${path}: no way is cut off`).toBe(0);
      }
    }
    for (const background of backgrounds) expect(brightness(background) > 0.5, background).toBe(colorScheme === 'light');
  });
}

test('walking through the application by its links keeps it alive', async ({ admin, lab }) => {
  await admin.open('/admin');
  for (const name of ['Nodes', 'Operations', 'VMs']) {
    await admin.page.getByRole('link', { name, exact: true }).first().click();
    await expect(admin.page.locator('h1')).toBeVisible();
  }
  await admin.page.goBack();
  await expect(admin.page.locator('h1')).toBeVisible();
  await admin.page.locator('a[href="/vms"]').first().click();
  await admin.page.locator(`a[href="/vms/${lab.vm('shop').id}"]`).first().click();
  await expect(admin.page.locator('h1')).toContainText('shop');
});

test('the fields of a resize say what the address asks for, also after going back', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  await owner.preview(mail.id, { vcpus: 2 });
  await owner.field('vCPUs').fill('3');
  await owner.button('Preview').click();
  await expect(owner.page).toHaveURL(/vcpus=3/);
  await owner.page.goBack();
  await expect(owner.page).toHaveURL(/vcpus=2/);
  await expect(owner.field('vCPUs')).toHaveValue('2');
  await owner.field('vCPUs').fill('4');
  await owner.page.goForward();
  await expect(owner.field('vCPUs')).toHaveValue('3');
});

/** Every chart of the page is drawn, and has its numbers behind it. */
async function chartsAreDrawn(panel: Panel, path: string): Promise<void> {
  await panel.open(path);
  const charts = panel.page.locator('main figure.chart');
  await expect(charts.locator('svg').first()).toBeVisible({ timeout: 90_000 });
  for (const chart of await charts.all()) {
    const title = await chart.locator('figcaption').innerText();
    await expect(chart.locator('svg'), `${path}: ${title}`).toBeVisible({ timeout: 90_000 });
    await chart.getByText('Numbers', { exact: true }).click();
    await expect(chart.locator('tbody tr').first(), `${path}: the numbers of ${title}`).toBeVisible();
  }
}

test('the charts of the dashboard, of a node and of a VM are drawn, each with its numbers', async ({ admin, as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  await chartsAreDrawn(admin, '/admin');
  await chartsAreDrawn(admin, `/admin/nodes/${shop.node}`);
  await chartsAreDrawn(owner, `/vms/${shop.id}`);
  for (const text of [shop.name, 'north', 'Running']) await expect(owner.page.locator('main')).toContainText(text);
});

test('a simulated grid is called so on every page, and a real one never', async ({ as, lab }) => {
  const customer = await as(lab.vm('shop').owner);
  for (const path of customerPages(lab)) {
    await customer.open(path);
    const said = /simulated/i.test(await customer.page.locator('body').innerText());
    expect(said, path).toBe(lab.simulated);
  }
});

test('the answers for machines are there: healthz, readyz, metrics', async ({ lab, request }) => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const answer = await request.get(path);
    expect(answer.status(), path).toBe(200);
    if (path === '/metrics') {
      expect(answer.headers()['content-type']).toContain('text/plain');
      expect(await answer.text()).toMatch(/^# (HELP|TYPE) hostgrid_/m);
    }
  }
  expect(lab.url).toBeTruthy();
});

test('every page forbids inline scripts without its nonce, and framing', async ({ request }) => {
  const first = (await request.get('/login')).headers();
  const second = (await request.get('/login')).headers();
  const policy = first['content-security-policy'] ?? '';
  expect(policy).toContain("'wasm-unsafe-eval'");
  expect(policy).toMatch(/script-src[^;]*'nonce-/);
  expect(policy).not.toMatch(/script-src[^;]*'unsafe-inline'/);
  expect(policy).toMatch(/frame-ancestors 'none'/);
  expect(policy).not.toBe(second['content-security-policy']);
  expect(first['x-content-type-options']).toBe('nosniff');
});

test('a page stays as it is where the server is not reached, and goes on when it is', async ({ admin, lab, allow }) => {
  allow(/Failed to load resource|ERR_FAILED/i);
  const { page } = admin;
  await admin.open(`/admin/nodes/${lab.nodes[0]?.name}`);
  const when = page.locator('main time').first();
  let aborted = 0;
  await page.route(/\/node_get/, (route) => {
    aborted += 1;
    return route.abort('failed');
  });
  await expect.poll(() => aborted, { timeout: 60_000 }).toBeGreaterThan(1);
  await expect(page.getByRole('heading', { name: lab.nodes[0]?.name })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Both sets of statistics' })).toBeVisible();
  await expect(page.locator('.error-panel')).toHaveCount(0);
  const then = await when.innerText();
  await page.unrouteAll();
  await expect(when).not.toHaveText(then, { timeout: 30_000 });
});

test('news from the grid leaves alone what is being typed or ticked', async ({ admin, lab }) => {
  const news = async () => {
    const before = await admin.page.locator('main time').first().innerText();
    await expect(admin.page.locator('main time').first()).not.toHaveText(before, { timeout: 30_000 });
  };
  await admin.open(`/admin/nodes/${lab.nodes[0]?.name}`);
  const field = admin.field('Reserve memory (MiB)');
  await field.fill('123');
  const buttons = ['Save', 'Cordon'].map((name) => admin.button(name));
  for (const button of buttons) await button.evaluate((element) => element.setAttribute('data-same', ''));
  await news();
  await news();
  await expect(field).toHaveValue('123');
  for (const button of buttons) await expect(button).toHaveAttribute('data-same');

  await admin.open(`/vms/${lab.vms[0]?.id}`);
  const tick = admin.page.getByRole('checkbox');
  const start = admin.page.getByRole('button', { name: 'Start' });
  for (const control of [tick, start]) await control.evaluate((element) => element.setAttribute('data-same', ''));
  // News that moves the page under the pointer makes a click miss, and a person clicks again.
  await expect(() => tick.check({ timeout: 3_000 })).toPass({ timeout: 15_000 });
  await news();
  await news();
  await expect(tick).toBeChecked();
  for (const control of [tick, start]) await expect(control).toHaveAttribute('data-same');
});

import { expect, test } from '../story/test';

test('a wrong password is told as such, the email is kept, and nobody is signed in', async ({ lab, visitor }) => {
  await visitor.open('/login');
  await visitor.fillSignIn(lab.admin.email, 'not the password');
  await expect(visitor.problem).toContainText(/password/i);
  await expect(visitor.page).toHaveURL(/\/login/);
  await expect(visitor.field('Email')).toHaveValue(lab.admin.email);
  await expect(visitor.field('Password')).not.toHaveValue(lab.admin.password);
  await visitor.open('/vms');
  await expect(visitor.page).toHaveURL(/\/login/);
});

test('an email that nobody has gets the same answer as a wrong password', async ({ lab, visitor }) => {
  await visitor.open('/login');
  await visitor.fillSignIn(lab.admin.email, 'not the password');
  const told = await visitor.problem.innerText();
  await visitor.open('/login');
  await visitor.fillSignIn('nobody@nowhere.example', 'not the password');
  await expect(visitor.problem).toHaveText(told);
});

test('whoever was sent to the sign-in page comes back to where they wanted to go', async ({ lab, visitor }) => {
  const shop = lab.vm('shop');
  const wanted = `/vms/${shop.id}/resize`;
  await visitor.open(wanted);
  await expect(visitor.page).toHaveURL(/\/login/);
  const owner = lab.user(shop.owner);
  await visitor.fillSignIn(owner.email, owner.password);
  await expect(visitor.page).toHaveURL(new RegExp(`${wanted}$`));
});

test('the way back after signing in never leads to another site', async ({ lab, visitor }) => {
  for (const next of ['https://elsewhere.example/', '//elsewhere.example/', '/\\elsewhere.example', 'javascript:alert(1)']) {
    await visitor.page.goto('about:blank');
    await visitor.page.context().clearCookies();
    await visitor.open(`/login?next=${encodeURIComponent(next)}`);
    await visitor.fillSignIn(lab.admin.email, lab.admin.password);
    await visitor.page.waitForURL((url) => url.pathname !== '/login');
    expect(new URL(visitor.page.url()).origin).toBe(new URL(lab.url).origin);
  }
});

test('signing out ends the session, also for a cookie that was kept', async ({ lab, visitor }) => {
  await visitor.signIn(lab.user(lab.vm('shop').owner));
  await visitor.open('/vms');
  const kept = await visitor.page.context().cookies();
  await visitor.button('Sign out').click();
  await expect(visitor.page).toHaveURL(/\/login/);
  await visitor.page.goto('about:blank');
  await visitor.page.context().clearCookies();
  await visitor.page.context().addCookies(kept);
  await visitor.open('/vms');
  await expect(visitor.page).toHaveURL(/\/login/);
});

test('the session cookie is out of reach for scripts and other sites', async ({ lab, visitor }) => {
  await visitor.signIn(lab.admin);
  const cookies = await visitor.page.context().cookies();
  expect(cookies.length).toBeGreaterThan(0);
  for (const cookie of cookies) {
    expect(cookie.httpOnly, cookie.name).toBe(true);
    expect(cookie.sameSite, cookie.name).not.toBe('None');
  }
});

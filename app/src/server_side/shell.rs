//! The document around the application.

use crate::App;
use crate::server_side::policy;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// The whole page; sets its content security policy on the way.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    policy::allow_nonce();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <link rel="stylesheet" href=format!("/{}/{}.css", options.site_pkg_dir, options.output_name)/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

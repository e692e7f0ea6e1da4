//! Looks at the page in a browser. Runs only where `TOLLGATE_BROWSER` is set: it needs Chromium.
//!
//! With `TOLLGATE_PICTURES` set to a directory, what the browser saw is left there.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test helper cannot do, its test cannot either"
)]

mod chromium;

#[path = "../support/filled.rs"]
mod filled;

#[path = "../support/page.rs"]
mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chromium::Browser;
use page::{held, hostile};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tollgate::edge::server::Stop;
use tollgate::record::{ExchangeId, ExchangeRecord, Name};
use tollgate::recorder::StoreHealth;
use tollgate::ui::Ui;

/// A page that is served.
struct Served {
    address: SocketAddr,
    feed: broadcast::Sender<Arc<ExchangeRecord>>,
    ids: Vec<ExchangeId>,
    stop: Stop,
    _directory: TempDir,
}

fn serve(count: usize) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tollgate.redb");
    let mut records = filled::recent(7, count, 3_500_000_000 / count.max(1) as i64);
    for (record, name) in records.iter_mut().rev().skip(3).zip(hostile()) {
        record.model = Some(Name::from(name));
    }
    page::drawn(&mut records);
    drop(filled::store(&path, &records));
    let config = "[providers.openai]\napi_key = \"sk-0123456789abcdef0123456789abcdef\"\n\
        [providers.openrouter]\n[providers.groq]\n[providers.anthropic]\n";
    let config = format!("{config}{}", page::EXPERIMENT.1);
    let settings = page::settings(&config, directory.path());
    let held = held(&path, settings, StoreHealth::default());
    let until = held.handles.drain.clone();
    let ui = Ui::new(held.handles);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            ui.serve(listener, until).await;
        });
    });
    Served {
        address,
        feed: held.feed,
        ids: records.iter().map(|record| record.id).collect(),
        stop: held.stop,
        _directory: directory,
    }
}

fn is_wanted() -> bool {
    std::env::var_os("TOLLGATE_BROWSER").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Whatever is opened: no error, no request elsewhere, nothing wider than the screen.
fn is_sound(browser: &mut Browser, origin: &str, what: &str) {
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{what}: {complaints:#?}");
    for url in browser.requests() {
        assert!(url.starts_with(origin), "{what} asks for {url}");
    }
    let wide = browser.ask("document.documentElement.scrollWidth - innerWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{what} is {wide} px too wide");
}

/// axe-core's own text, where `TOLLGATE_AXE` says where it is.
fn axe() -> Option<String> {
    let path = std::env::var_os("TOLLGATE_AXE")?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// What axe-core calls serious or critical.
fn barriers(browser: &mut Browser, axe: &str) -> Value {
    browser.ask(&format!("{axe}; true"));
    browser.await_answer(
        "axe.run().then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact))\
         .map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; ')))",
    )
}

#[test]
fn every_page_is_sound_wide_and_narrow_light_and_dark() {
    if !is_wanted() {
        return;
    }
    let (full, empty) = (serve(3_000), serve(0));
    let mut browser = Browser::start();
    let axe = axe();
    let exchange = format!("/exchanges/{}", full.ids[full.ids.len() - 2]);
    let pages = [
        (&full, "overview", "/"),
        (&full, "routes", "/routes"),
        (&full, "reports", "/reports"),
        (&full, "tax", "/reports/tax?origin=all"),
        (&empty, "empty-tax", "/reports/tax"),
        (&full, "experiments", "/experiments"),
        (&empty, "empty-experiments", "/experiments"),
        (&full, "exchanges", "/exchanges"),
        (&full, "exchange", &exchange),
        (&full, "health", "/health"),
        (&full, "runs", "/runs"),
        (&full, "run", "/runs/monday"),
        (&full, "login", "/login"),
        (&empty, "empty-overview", "/"),
        (&empty, "empty-routes", "/routes"),
    ];
    for (width, height) in [(1400, 900), (400, 800)] {
        for dark in [false, true] {
            browser.look(width, height, dark);
            for (served, name, path) in pages {
                let origin = format!("http://{}", served.address);
                browser.open(&format!("{origin}{path}"));
                let what = format!("{name}-{width}-{}", if dark { "dark" } else { "light" });
                if name.ends_with("overview") {
                    let state = "document.querySelector('[data-live-state]').textContent";
                    browser.wait_for(&format!("{state} === 'live'"));
                }
                is_sound(&mut browser, &origin, &what);
                if ["tax", "experiments"].contains(&name) {
                    let tables = "[...document.querySelectorAll('.paper table, .paper svg')].filter(t => t.offsetParent || t.getBoundingClientRect().height > 0).length >= 4";
                    assert_eq!(
                        browser.ask(tables),
                        true,
                        "{what}: tables and chart are seen"
                    );
                }
                if let Some(axe) = &axe {
                    let found = barriers(&mut browser, axe);
                    assert_eq!(found, Value::Array(Vec::new()), "{what}: {found:#}");
                }
                if let Some(directory) = std::env::var_os("TOLLGATE_PICTURES") {
                    let file = std::path::Path::new(&directory).join(format!("{what}.png"));
                    std::fs::write(file, browser.picture()).unwrap();
                }
            }
        }
    }
    if let Some(axe) = &axe {
        // The judge does judge: a field without a name is found.
        browser.ask("document.querySelector('main').append(document.createElement('input'))");
        let found = barriers(&mut browser, axe);
        assert!(
            found[0].as_str().is_some(),
            "a planted barrier is not found"
        );
    }
    full.stop.drain();
    empty.stop.drain();
}

#[test]
fn the_overview_follows_what_is_committed() {
    if !is_wanted() {
        return;
    }
    let served = serve(40);
    let origin = format!("http://{}", served.address);
    let mut browser = Browser::start();
    browser.look(1400, 900, false);
    browser.open(&format!("{origin}/"));
    browser.wait_for("document.querySelector('[data-live-state]').textContent === 'live'");
    let mut fresh = filled::recent(99, 5, 1_000);
    for (record, name) in fresh.iter_mut().zip(hostile()) {
        record.model = Some(Name::from(name));
    }
    let id = fresh[4].id.to_string();
    for record in fresh {
        served.feed.send(Arc::new(record)).unwrap();
    }
    browser.wait_for(&format!(
        "document.querySelector('tr.fresh a[href$=\"{id}\"]') !== null"
    ));
    let first = browser.ask("document.querySelector('tbody tr a').href");
    assert!(first.as_str().unwrap().ends_with(&id), "{first}");
    assert_eq!(
        browser.ask("document.querySelectorAll('td img, td script, td svg').length"),
        0
    );
    is_sound(&mut browser, &origin, "live overview");
    // The server goes: the page says so.
    served.stop.drain();
    browser.wait_for("document.querySelector('[data-live-state]').textContent !== 'live'");
}

#[test]
fn the_page_is_used_by_keyboard() {
    if !is_wanted() {
        return;
    }
    let served = serve(40);
    let mut browser = Browser::start();
    browser.look(1400, 900, false);
    browser.open(&format!("http://{}/", served.address));
    browser.press("Tab", 9);
    assert_eq!(browser.ask("document.activeElement.className"), "skip");
    for _ in 0..3 {
        browser.press("Tab", 9);
    }
    assert_eq!(browser.ask("document.activeElement.textContent"), "Routes");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.ask(outline), "solid");
    browser.press("Enter", 13);
    browser.wait_for("location.pathname === '/routes'");
    browser.wait_for("document.readyState === 'complete'");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(
        browser.ask("document.querySelector('[aria-current]').textContent"),
        "Routes"
    );
    served.stop.drain();
}

#[test]
fn a_benchmark_is_begun_watched_and_stopped_by_the_page() {
    if !is_wanted() {
        return;
    }
    let demo = tollgate::app::demo::Demo::start(5).unwrap();
    let origin = format!("http://{}", demo.admin.as_ref().unwrap().address);
    let mut browser = Browser::start();
    let axe = axe();
    let look = |browser: &mut Browser, what: &str| {
        for (width, height) in [(1400, 900), (400, 800)] {
            for dark in [false, true] {
                browser.look(width, height, dark);
                let what = format!("{what}-{width}-{}", if dark { "dark" } else { "light" });
                is_sound(browser, &origin, &what);
                if let Some(axe) = &axe {
                    let found = barriers(browser, axe);
                    assert_eq!(found, Value::Array(Vec::new()), "{what}: {found:#}");
                }
                if let Some(directory) = std::env::var_os("TOLLGATE_PICTURES") {
                    let file = std::path::Path::new(&directory).join(format!("{what}.png"));
                    std::fs::write(file, browser.picture()).unwrap();
                }
            }
        }
    };
    for (iterations, ends) in [("3", "complete"), ("200", "interrupted")] {
        browser.open(&format!("{origin}/runs"));
        browser.ask("document.querySelector('.begin details').open = true");
        look(&mut browser, "begin");
        browser.ask(&format!(
            "const form = document.querySelector('.begin form');\
             form.elements.models.value = 'gpt-4.1-mini';\
             form.elements.providers.value = 'openai';\
             form.elements.iterations.value = '{iterations}';\
             form.elements.max_tokens.value = '8';\
             form.elements.run.value = 'run-{iterations}';\
             form.querySelector('button').click()"
        ));
        browser.wait_for("document.querySelector('h1')?.textContent === 'Begin this run?'");
        browser.wait_for("document.readyState === 'complete'");
        let cost = browser.ask("document.querySelector('.facts').textContent");
        assert!(cost.as_str().unwrap().contains("cap $1.00"), "{cost}");
        look(&mut browser, "question");
        browser.ask("document.querySelector('main form button').click()");
        browser.wait_for(&format!("location.pathname === '/runs/run-{iterations}'"));
        if ends == "interrupted" {
            browser.wait_for("document.querySelector('progress')?.value > 0");
            look(&mut browser, "going");
            browser.ask("document.querySelector('.run form button').click()");
        }
        browser.wait_for(&format!(
            "document.querySelector('.outcome')?.textContent === '{ends}'"
        ));
        browser.wait_for("document.readyState === 'complete'");
        look(&mut browser, "ended");
    }
}

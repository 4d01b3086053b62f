//! A real Chromium, and one page in it, as a reader has it.
#![allow(
    dead_code,
    reason = "tests, pictures and times each take what they need"
)]

use std::{
    ffi::OsStr,
    fmt::Debug,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use headless_chrome::{
    Browser, LaunchOptions, Tab,
    protocol::cdp::{
        Page::CaptureScreenshotFormatOption,
        types::{Event, Method},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Where Debian has it; another one is named by `EXECLAB_CHROMIUM`.
const CHROMIUM: &str = "/usr/bin/chromium";

/// How long anything may take before it is taken for never: no claim of speed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A page, and everything that it complained of.
pub struct Page {
    pub tab: Arc<Tab>,
    complaints: Arc<Mutex<Vec<String>>>,
    // It ends when this is dropped, and its profile with it.
    _browser: Browser,
}

/// A call of the developer tools protocol by its name.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct SetDeviceMetrics(Value);

impl Method for SetDeviceMetrics {
    const NAME: &'static str = "Emulation.setDeviceMetricsOverride";
    type ReturnObject = Value;
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct SetMedia(Value);

impl Method for SetMedia {
    const NAME: &'static str = "Emulation.setEmulatedMedia";
    type ReturnObject = Value;
}

impl Page {
    /// A file with what follows `#` in its address, in a window of so many pixels.
    pub fn open(file: &Path, hash: &str, (width, height): (u32, u32)) -> Self {
        let page = Self::blank();
        page.window(width, height, 1.0);
        page.go(&format!("file://{}{hash}", file.display()));
        page
    }

    /// A browser with an empty page. Nothing of it reaches out to anywhere.
    pub fn blank() -> Self {
        let quiet = [
            "--disable-quic",
            "--disable-component-update",
            "--no-pings",
            "--hide-scrollbars",
            // Nobody asks a name server for anything.
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ];
        let path =
            std::env::var_os("EXECLAB_CHROMIUM").map_or_else(|| CHROMIUM.into(), PathBuf::from);
        let browser = Browser::new(LaunchOptions {
            // Which refuses to run as root.
            sandbox: false,
            path: Some(path.clone()),
            args: quiet.iter().map(OsStr::new).collect(),
            idle_browser_timeout: PATIENCE,
            ..LaunchOptions::default()
        })
        .unwrap_or_else(|e| panic!("cannot start {}: {e}", path.display()));
        let tab = browser.new_tab().expect("a new tab");
        tab.set_default_timeout(PATIENCE);
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&complaints);
        tab.enable_log().expect("the log");
        tab.enable_runtime().expect("the console");
        tab.add_event_listener(Arc::new(move |event: &Event| {
            let what = match event {
                Event::LogEntryAdded(e) => format!("log: {}", e.params.entry.text),
                Event::RuntimeExceptionThrown(e) => {
                    format!("exception: {:?}", e.params.exception_details)
                }
                Event::RuntimeConsoleAPICalled(e) => format!("console: {:?}", e.params.args),
                _ => return,
            };
            heard.lock().expect("no listener panics").push(what);
        }))
        .expect("a listener");
        Self {
            tab,
            complaints,
            _browser: browser,
        }
    }

    /// Loads another address.
    pub fn go(&self, address: &str) {
        self.tab.navigate_to(address).expect("an address");
        self.tab.wait_until_navigated().expect("a page");
        self.until("document.readyState === 'complete'");
    }

    /// What the page logged: anything at all is one complaint too many.
    pub fn complaints(&self) -> Vec<String> {
        // What was logged before this answer has arrived before it.
        self.eval::<bool>("true");
        self.complaints.lock().expect("no listener panics").clone()
    }

    /// The value of an expression.
    pub fn eval<T: DeserializeOwned + Debug>(&self, expression: &str) -> T {
        let wrapped = format!("JSON.stringify((() => ({expression}))() ?? null)");
        let found = self.tab.evaluate(&wrapped, true);
        let value = found.unwrap_or_else(|e| panic!("{expression}: {e}")).value;
        let text = value.unwrap_or_else(|| panic!("{expression} has no value"));
        serde_json::from_str(text.as_str().expect("a string"))
            .unwrap_or_else(|e| panic!("{expression}: {e} in {text}"))
    }

    /// The text that is shown of the first element.
    pub fn text(&self, selector: &str) -> String {
        self.eval(&format!("document.querySelector({selector:?})?.innerText"))
    }

    /// The text that is shown of each element.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.eval(&format!(
            "[...document.querySelectorAll({selector:?})].map((e) => e.innerText)"
        ))
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&self, condition: &str) {
        let start = Instant::now();
        while !self.eval::<bool>(&format!("!!({condition})")) {
            assert!(start.elapsed() < PATIENCE, "never: {condition}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks with the mouse on the middle of an element.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.tab.find_element(selector);
        let element = element.unwrap_or_else(|e| panic!("{selector}: {e}"));
        element
            .click()
            .unwrap_or_else(|e| panic!("{selector}: {e}"));
    }

    /// Presses keys, one after the other.
    pub fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tab
                .press_key(key)
                .unwrap_or_else(|e| panic!("{key}: {e}"));
        }
    }

    /// Types into what has the focus.
    pub fn write(&self, text: &str) {
        self.tab.type_str(text).expect("keys");
    }

    /// Chooses from a list.
    pub fn choose(&self, selector: &str, value: &str) {
        let chosen: String = self.eval(&format!(
            "(() => {{ const list = document.querySelector({selector:?}); list.value = {value:?}; list.dispatchEvent(new Event('input', {{ bubbles: true }})); return list.value; }})()"
        ));
        assert_eq!(chosen, value, "{selector} has it to choose from");
    }

    /// Another size, of so many device pixels for each.
    pub fn window(&self, width: u32, height: u32, scale: f64) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false});
        self.tab
            .call_method(SetDeviceMetrics(size))
            .expect("a size");
    }

    /// `screen` or `print`, `light` or `dark`.
    pub fn media(&self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let media = json!({"media": media, "features": features});
        self.tab.call_method(SetMedia(media)).expect("a medium");
    }

    /// What is in the window, as a PNG.
    pub fn picture(&self) -> Vec<u8> {
        let format = CaptureScreenshotFormatOption::Png;
        let picture = self.tab.capture_screenshot(format, None, None, false);
        picture.expect("a picture")
    }
}

// rust_panics N: panics through probed frames that are caught, extern "C" functions, instances of a generic function,
// threads.  Speaks the protocol of the other programs.
use std::io::BufRead;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

struct Tally {
    calls: AtomicI64,
    returns: AtomicI64,
}

impl Tally {
    const fn new() -> Tally {
        Tally { calls: AtomicI64::new(0), returns: AtomicI64::new(0) }
    }
    fn enter(&self) {
        self.calls.fetch_add(1, Relaxed);
    }
    fn leave(&self, result: i64) -> i64 {
        self.returns.fetch_add(1, Relaxed);
        unsafe { std::ptr::read_volatile(&result) }
    }
    fn print(&self, name: &str) {
        let (calls, returns) = (self.calls.load(Relaxed), self.returns.load(Relaxed));
        println!("{name}.calls={calls}\n{name}.returns={returns}\n{name}.errors={}\n{name}.inside=0", calls - returns);
    }
}

static PANICS: Tally = Tally::new();
static BETWEEN: Tally = Tally::new();
static FOREIGN: Tally = Tally::new();
static GENERIC: Tally = Tally::new();
static SWEPT: Tally = Tally::new();

struct Sweeper(i64);

impl Drop for Sweeper {
    fn drop(&mut self) {
        swept(self.0);
    }
}

#[inline(never)]
fn swept(i: i64) -> i64 {
    SWEPT.enter();
    SWEPT.leave(i)
}

#[inline(never)]
fn panics(i: i64) -> i64 {
    PANICS.enter();
    if i % 7 == 6 {
        panic!("the seventh");
    }
    PANICS.leave(i)
}

#[inline(never)]
fn between(i: i64) -> i64 {
    BETWEEN.enter();
    let _sweeper = Sweeper(i);
    BETWEEN.leave(panics(i) + 1)
}

#[no_mangle]
#[inline(never)]
pub extern "C" fn foreign(i: i64) -> i64 {
    FOREIGN.enter();
    let caught = catch_unwind(|| between(i));
    FOREIGN.leave(caught.unwrap_or(-1))
}

#[inline(never)]
fn generic<T: Copy + Into<f64>>(value: T) -> i64 {
    GENERIC.enter();
    let number: f64 = value.into();
    GENERIC.leave(number as i64)
}

fn rounds(count: i64) -> i64 {
    let mut sum = 0;
    for i in 0..count {
        sum += foreign(i);
        sum += catch_unwind(|| panics(i)).unwrap_or(-2);
        sum += generic(i as i32) + generic(i as f32) + generic((i % 100) as u8);
    }
    sum
}

fn main() {
    let count: i64 = std::env::args().nth(1).map_or(70, |text| text.parse().unwrap());
    std::panic::set_hook(Box::new(|_| {}));
    println!("ready {}", std::process::id());
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(move || rounds(count))).collect();
    let sum: i64 = threads.into_iter().map(|one| one.join().unwrap()).sum();
    PANICS.print("rust_panics::panics");
    BETWEEN.print("rust_panics::between");
    FOREIGN.print("foreign");
    GENERIC.print("rust_panics::generic");
    SWEPT.print("rust_panics::swept");
    println!("results={sum}");
}

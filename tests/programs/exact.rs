// `exact [ROUNDS | list]` in Rust; see exact/exact.h for what it prints.
use std::fmt::Display;
use std::io::{BufRead, Write};

// A value that the compiler knows nothing about.
fn black_box<T>(value: T) -> T {
    unsafe {
        let read = std::ptr::read_volatile(&value);
        std::mem::forget(value);
        read
    }
}

#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Color {
    Red,
    Green = 7,
    Blue = 200,
}

#[derive(Clone, Copy)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Clone, Copy)]
struct Large {
    a: i64,
    b: i32,
    c: [i16; 4],
    name: &'static str,
}

struct Cart {
    id: u32,
    total: i64,
    name: String,
    items: Vec<Point>,
}

impl Cart {
    #[inline(never)]
    fn add(&mut self, amount: i32, name: &str) -> i64 {
        self.total += i64::from(amount);
        black_box(name.len());
        self.total
    }
    #[inline(never)]
    fn first(&self, by: i16) -> Option<&Point> {
        black_box(by);
        self.items.first()
    }
}

#[inline(never)]
fn widths(a: i8, b: u8, c: i16, d: u16, e: i32, f: u32) -> i8 {
    black_box(i64::from(a) + i64::from(b) + i64::from(c) + i64::from(d) + i64::from(e) + i64::from(f)) as i8
}
#[inline(never)]
fn words(a: i64, b: u64, c: usize, d: bool, e: isize, f: u8, g: i64, h: i16) -> u64 {
    black_box(a as u64 ^ b ^ c as u64 ^ e as u64 ^ u64::from(f) ^ g as u64 ^ h as u64) + u64::from(d)
}
#[inline(never)]
fn mixed(a: i32, b: f64, c: i64, d: f32, e: u16) -> i64 {
    black_box(i64::from(a) + b as i64 + d as i64 + i64::from(e)) ^ c
}
#[inline(never)]
fn colors(color: Color, other: &Color, n: i32) -> Color {
    black_box(n);
    if n % 2 == 0 {
        color
    } else {
        *other
    }
}
#[inline(never)]
fn texts(s: &str, t: &String, n: i32) -> usize {
    black_box(n);
    black_box(s.len() + t.len())
}
#[inline(never)]
fn owned(s: String, n: u8) -> String {
    let mut s = s;
    s.push((b'a' + n % 26) as char);
    black_box(s)
}
#[inline(never)]
fn named(n: usize) -> &'static str {
    black_box(["zero", "one", "two and some more"][n % 3])
}
#[inline(never)]
fn slices(s: &[i32], v: &Vec<u64>, w: &[&str], n: usize) -> i32 {
    black_box(v.len() + w.len());
    s[n] ^ 1
}
#[inline(never)]
fn options(a: Option<&i32>, b: Option<Box<Point>>, n: i32) -> i32 {
    black_box(a.copied().unwrap_or(0)) ^ black_box(b.map(|p| p.y).unwrap_or(0)) ^ n
}
#[inline(never)]
fn points(n: i64, p: Point, q: &Point, m: i16) -> Point {
    black_box(n);
    Point { x: p.y ^ i32::from(m), y: q.x }
}
#[inline(never)]
fn large(n: i32, l: Large, m: i32) -> i64 {
    black_box(n + m);
    l.a ^ i64::from(l.b) ^ i64::from(l.c[3])
}
#[inline(never)]
fn made(n: i32, m: i64) -> Large {
    black_box(Large { a: m, b: n, c: [1, 2, 3, n as i16], name: "made" })
}
#[inline(never)]
fn deep(n: i32, sum: i64) -> i64 {
    if n <= 0 {
        return sum;
    }
    let open = call("exact_rust::deep", &[&(n - 1), &(sum + i64::from(n))]);
    let result = deep(n - 1, sum + i64::from(n));
    open.returned(&[&result]);
    black_box(result + i64::from(n))
}

// Function, what shows its arguments, and what shows its result.
static CASES: &[(&str, &str, &str)] = &[
    ("exact_rust::widths", "a|b|c|d|e|f", "result"),
    ("exact_rust::words", "a|b|c|d|e|f|g|h", "result"),
    ("exact_rust::mixed", "a|!b|c|!d|e", "result"),
    ("exact_rust::colors", "color|*other|n", "result"),
    ("exact_rust::texts", "s|*t|n|len(s)|str(s, 8)|len(str(s, 8))", "result"),
    ("exact_rust::owned", "n", "result"),
    ("exact_rust::named", "n", "result"),
    ("exact_rust::slices", "len(s)|s[1]|s[n]|v->size|(*v)[1]|w[0]|n", "result"),
    ("exact_rust::options", "a.has_value|?*a|@b->y|n", "result"),
    ("exact_rust::points", "n|?p.x|?p.y|q->x|m", "?result.x|?result.y"),
    ("exact_rust::large", "n|?l.a|?l.b|?l.c[3]|?l.name|m", "result"),
    ("exact_rust::made", "n|m", "result.a|result.b|result.c[3]|result.name"),
    ("exact_rust::deep", "n|sum", "result"),
    ("exact_rust::Cart::add", "self->id|self->name|self->items.size|self->items[1].y|amount|name", "self->total|result"),
    ("exact_rust::Cart::first", "self->total|by", "result->x"),
];

struct Open {
    function: &'static str,
    values: Vec<String>,
}

fn call(function: &'static str, values: &[&dyn Display]) -> Open {
    let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
    println!("call\t{}\t{}", function, values.join("|"));
    Open { function, values }
}

impl Open {
    fn returned(self, values: &[&dyn Display]) {
        let at_call = CASES.iter().find(|case| case.0 == self.function).unwrap().1;
        let known = at_call.split('|').zip(self.values).filter(|(expression, _)| outlives(expression));
        let mut all: Vec<String> = known.map(|(_, value)| value).collect();
        all.extend(values.iter().map(|value| value.to_string()));
        println!("return\t{}\t{}", self.function, all.join("|"));
    }
}

fn outlives(expression: &str) -> bool {
    !expression.starts_with('@')
}

fn name(color: Color) -> &'static str {
    match color {
        Color::Red => "Red",
        Color::Green => "Green",
        Color::Blue => "Blue",
    }
}

fn color(n: u64) -> Color {
    [Color::Red, Color::Green, Color::Blue][(n % 3) as usize]
}

fn or_null<T: Display>(value: Option<T>) -> String {
    value.map(|held| held.to_string()).unwrap_or_else(|| "null".to_string())
}

struct Series(u64);

impl Series {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        match self.0 % 7 {
            0 => 0,
            1 => !0,
            2 => self.0 >> 57,
            3 => (self.0 >> 55).wrapping_neg(),
            _ => self.0,
        }
    }
    fn small(&mut self) -> i64 {
        i64::from(self.next() as i32) / 64
    }
    fn text(&mut self) -> &'static str {
        ["", "a", "short one", "a text that is somewhat longer than the others"][(self.next() % 4) as usize]
    }
}

fn numbers(n: &mut Series) {
    let (a, b, c, d) = (n.next() as i8, n.next() as u8, n.next() as i16, n.next() as u16);
    let (e, f) = (n.next() as i32, n.next() as u32);
    let open = call("exact_rust::widths", &[&a, &b, &c, &d, &e, &f]);
    open.returned(&[&widths(a, b, c, d, e, f)]);

    let (i, j, k, l) = (n.next() as i64, n.next() / 2, n.next() as usize / 2, n.next() % 2 == 0);
    let (m, o, p, q) = (n.small() as isize, n.next() as u8, n.small(), n.next() as i16);
    let open = call("exact_rust::words", &[&i, &j, &k, &l, &m, &o, &p, &q]);
    let result = words(i, j, k, l, m, o, p, q);
    open.returned(&[&result]);

    let s = n.small() as i32;
    let open = call("exact_rust::mixed", &[&s, &"1.5", &i, &"2.5", &d]);
    open.returned(&[&mixed(s, 1.5, i, 2.5, d)]);

    let (one, two) = (color(n.next()), color(n.next()));
    let open = call("exact_rust::colors", &[&name(one), &name(two), &e]);
    open.returned(&[&name(colors(one, &two, e))]);

    let depth = (n.next() % 5) as i32;
    let open = call("exact_rust::deep", &[&depth, &p]);
    open.returned(&[&deep(depth, p)]);
}

fn strings(n: &mut Series) {
    let (s, t, i) = (n.text(), n.text().to_string(), n.next() as i32);
    let cut = &s[..s.len().min(8)];
    let open = call("exact_rust::texts", &[&s, &t, &i, &s.len(), &cut, &cut.len()]);
    open.returned(&[&texts(s, &t, i)]);

    let b = n.next() as u8;
    let open = call("exact_rust::owned", &[&b]);
    open.returned(&[&owned(t, b)]);

    let u = n.next() as usize;
    let open = call("exact_rust::named", &[&u]);
    open.returned(&[&named(u)]);

    let (numbers, longs, words) = ([1, n.next() as i32, n.next() as i32], vec![n.next(), n.next()], [n.text()]);
    let at = (n.next() % 3) as usize;
    let open = call("exact_rust::slices",
                    &[&3, &numbers[1], &numbers[at], &2, &longs[1], &words[0], &at]);
    open.returned(&[&slices(&numbers, &longs, &words, at)]);
}

fn structs(n: &mut Series) {
    let (p, q) = (Point { x: n.next() as i32, y: n.next() as i32 }, Point { x: n.next() as i32, y: 0 });
    let (l, m, i) = (n.next() as i64, n.next() as i16, n.next() as i32);
    let open = call("exact_rust::points", &[&l, &p.x, &p.y, &q.x, &m]);
    let moved = points(l, p, &q, m);
    open.returned(&[&moved.x, &moved.y]);

    let a = if n.next() % 3 == 0 { None } else { Some(&p.x) };
    let b = if n.next() % 3 == 0 { None } else { Some(Box::new(q)) };
    let pointer = or_null(a.map(|held| held as *const i32 as usize));
    let open = call("exact_rust::options", &[&a.is_some(), &pointer, &or_null(b.as_ref().map(|held| held.y)), &i]);
    open.returned(&[&options(a, b, i)]);

    let large_one = Large { a: l, b: i, c: [1, 2, 3, m], name: n.text() };
    let (x, y) = (n.small() as i32, n.small() as i32);
    let open = call("exact_rust::large", &[&x, &large_one.a, &large_one.b, &m, &large_one.name, &y]);
    open.returned(&[&large(x, large_one, y)]);

    let open = call("exact_rust::made", &[&i, &l]);
    let other = made(i, l);
    open.returned(&[&other.a, &other.b, &other.c[3], &other.name]);

    let mut cart = Cart { id: n.next() as u32, total: n.small(), name: n.text().to_string(), items: vec![q, p] };
    let text = n.text();
    let open = call("exact_rust::Cart::add", &[&cart.id, &cart.name, &2, &p.y, &x, &text]);
    let result = cart.add(x, text);
    open.returned(&[&cart.total, &result]);

    let open = call("exact_rust::Cart::first", &[&cart.total, &m]);
    open.returned(&[&or_null(cart.first(m).map(|point| point.x))]);
}

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "8".to_string());
    if argument == "list" {
        for (function, at_call, at_return) in CASES {
            let known: Vec<&str> = at_call.split('|').filter(|expression| outlives(expression)).collect();
            println!("{}\t{}\t{}|{}", function, at_call, known.join("|"), at_return);
        }
        return;
    }
    println!("ready {}", std::process::id());
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let mut n = Series(0x9e3779b97f4a7c15);
    for _ in 0..argument.parse::<u64>().unwrap() {
        numbers(&mut n);
        strings(&mut n);
        structs(&mut n);
    }
}

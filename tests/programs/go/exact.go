// `exact [ROUNDS | list]` in Go; see exact/exact.h for what it prints.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

type color uint8

type point struct {
	x int32
	y int64
}

type item struct {
	id    uint16
	name  string
	price int64
	at    point
	tags  []string
}

type cart struct {
	total int64
	items []item
	last  *item
}

var kept int64

//go:noinline
func widths(a int8, b uint8, c int16, d uint16, e int32, f uint32, g bool, h int) int8 {
	kept = int64(a) + int64(b) + int64(c) + int64(d) + int64(e) + int64(f) + int64(h)
	if g {
		return int8(kept)
	}
	return a
}

// Nine integers go to registers, the rest to the stack.
//
//go:noinline
func many(a int, b int, c int, d int, e int, f int, g int, h int, i int, j int32, k uint8, l int64) int64 {
	kept = int64(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i)
	return kept ^ int64(j) ^ int64(k) ^ l
}

//go:noinline
func mixed(a int32, b float64, c int64, d float32, e uint16) uint32 {
	kept = c + int64(b) + int64(d)
	return uint32(a) ^ uint32(e)
}

//go:noinline
func texts(n int, s string, t *string) int {
	kept = int64(n)
	return len(s) + len(*t)
}

//go:noinline
func joined(s string, n int) string {
	return s + strconv.Itoa(n)
}

//go:noinline
func both(n int, s string) (text string, count int) {
	return s + strconv.Itoa(n), n ^ len(s)
}

var errNegative = errors.New("negative")

//go:noinline
func parsed(s string, n int) (value string, err error) {
	if n < 0 {
		return "", errNegative
	}
	return s + strconv.Itoa(n), nil
}

//go:noinline
func divided(a int64, b int64) (int64, int64, error) {
	if b == 0 {
		return 0, a, errNegative
	}
	return a / b, a % b, nil
}

//go:noinline
func checked(n int) error {
	kept = int64(n)
	if n%2 == 0 {
		return errNegative
	}
	return nil
}

//go:noinline
func moved(p point, d int64) (q point, any interface{}, err error) {
	if d%2 == 0 {
		return point{p.x + 1, p.y + d}, d, errNegative
	}
	return point{p.x - 1, p.y - d}, nil, nil
}

// Nine words, as many as there are registers, and one in xmm0.
//
//go:noinline
func words(n int64, t string) (a int8, b uint16, s string, v []int32, p *point, ok bool, f float64) {
	kept = n
	if n%3 == 0 {
		return int8(n), uint16(n), t, nil, &point{1, n}, false, 1.5
	}
	return int8(n), uint16(n), t, []int32{1, int32(n)}, &point{2, n}, true, 2.5
}

//go:noinline
func slices(s []int32, n uint, w []string, b []byte) int32 {
	kept = int64(len(w) + len(b))
	return s[n]
}

//go:noinline
func structs(n int, p point, q *point, m int8) int64 {
	kept = int64(n)
	return int64(p.x) ^ p.y ^ q.y ^ int64(m)
}

//go:noinline
func colored(c color, n int) color {
	kept = int64(n)
	return c + 1
}

//go:noinline
func (c *cart) add(amount int, i *item) int64 {
	c.total += int64(amount)
	c.last = i
	return c.total
}

//go:noinline
func deep(n int, sum int64) int64 {
	if n <= 0 {
		return sum
	}
	open := call("main.deep", n-1, sum+int64(n))
	result := deep(n-1, sum+int64(n))
	open.returned(result)
	return result + int64(n)
}

type function struct{ name, atCall, atReturn string }

// Go's debug information says where arguments are at the call, and nothing of a result but its type.
var functions = []function{
	{"main.widths", "a|b|c|d|e|f|g|h", "result"},
	{"main.many", "a|b|c|d|e|f|g|h|i|j|k|l", "result"},
	{"main.mixed", "a|!b|c|!d|e", "result"},
	{"main.texts", "n|s|*t|len(s)|str(s, 8)|len(str(s, 8))|s == \"short one\"", "result"},
	{"main.joined", "s|n", "result"},
	{"main.both", "n|s", "result.text|len(result.text)|result.count"},
	{"main.parsed", "s|n", "result.value|len(result.value)|result.err == null|result.err != null && n < 0"},
	{"main.divided", "a|b", "result.r0|result.r1|result.r2 != null"},
	{"main.checked", "n", "result == null|result != null"},
	{"main.moved", "?p.x|?p.y|d", "result.q.x|result.q.y|result.any == null|result.err == null"},
	{"main.words", "n|t", "result.a|result.b|result.s|result.v.size|result.v == null|result.p->x|result.p->y|result.ok|!result.f"},
	{"main.slices", "s.size|s[1]|s[n]|n|w[0]|b[0]", "result"},
	{"main.structs", "n|?p.x|?p.y|q->x|q->y|m", "result"},
	{"main.colored", "c|n", "result"},
	{"main.(*cart).add", "c->items[1].name|c->items[1].tags[0]|c->items.size|amount|i->id|i->at.y", "c->total|c->last->name|result"},
	{"main.deep", "n|sum", "result"},
}

type open struct {
	name   string
	values []string
}

func text(value interface{}) string { return fmt.Sprint(value) }

func call(name string, values ...interface{}) open {
	made := open{name: name}
	for _, value := range values {
		made.values = append(made.values, text(value))
	}
	fmt.Printf("call\t%s\t%s\n", name, strings.Join(made.values, "|"))
	return made
}

func (o open) returned(values ...interface{}) {
	for _, value := range values {
		o.values = append(o.values, text(value))
	}
	fmt.Printf("return\t%s\t%s\n", o.name, strings.Join(o.values, "|"))
}

var state uint64 = 0x9e3779b97f4a7c15

func next() uint64 {
	state ^= state << 13
	state ^= state >> 7
	state ^= state << 17
	switch state % 7 {
	case 0:
		return 0
	case 1:
		return ^uint64(0)
	case 2:
		return state >> 57
	case 3:
		return -(state >> 55)
	}
	return state
}

func anyText() string {
	return []string{"", "a", "short one", "a text that is somewhat longer than the others"}[next()%4]
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

func round() {
	a, b, c, d := int8(next()), uint8(next()), int16(next()), uint16(next())
	e, f, g, h := int32(next()), uint32(next()), next()%2 == 0, int(next())
	o := call("main.widths", a, b, c, d, e, f, g, h)
	o.returned(widths(a, b, c, d, e, f, g, h))

	i, j, k, l := int(next()), int32(next()), uint8(next()), int64(next())
	o = call("main.many", h, i, 3, 4, 5, 6, 7, h, i, j, k, l)
	o.returned(many(h, i, 3, 4, 5, 6, 7, h, i, j, k, l))

	o = call("main.mixed", e, 1.5, l, 2.5, d)
	o.returned(mixed(e, 1.5, l, 2.5, d))

	s, t := anyText(), anyText()
	o = call("main.texts", i, s, t, len(s), cut(s, 8), len(cut(s, 8)), s == "short one")
	o.returned(texts(i, s, &t))

	o = call("main.joined", t, h)
	o.returned(joined(t, h))

	o = call("main.both", h, s)
	text, count := both(h, s)
	o.returned(text, len(text), count)

	o = call("main.parsed", t, h)
	parsedText, err := parsed(t, h)
	o.returned(parsedText, len(parsedText), err == nil, err != nil && h < 0)

	quotient, remainder, err := divided(l, int64(a))
	o = call("main.divided", l, a)
	o.returned(quotient, remainder, err != nil)

	o = call("main.checked", h)
	err = checked(h)
	o.returned(err == nil, err != nil)

	from := point{int32(next()), int64(next())}
	o = call("main.moved", from.x, from.y, l)
	to, any, err := moved(from, l)
	o.returned(to.x, to.y, any == nil, err == nil)

	o = call("main.words", l, s)
	w1, w2, w3, w4, w5, w6, w7 := words(l, s)
	o.returned(w1, w2, w3, len(w4), w4 == nil, w5.x, w5.y, w6, w7)

	numbers := []int32{1, int32(next()), int32(next())}
	n := uint(next() % 3)
	o = call("main.slices", 3, numbers[1], numbers[n], n, s, 'x')
	o.returned(slices(numbers, n, []string{s, t}, []byte("xyz")))

	p, q := point{int32(next()), int64(next())}, &point{int32(next()), int64(next())}
	o = call("main.structs", i, p.x, p.y, q.x, q.y, a)
	o.returned(structs(i, p, q, a))

	o = call("main.colored", b, h)
	o.returned(colored(color(b), h))

	one := item{id: uint16(next()), name: anyText(), at: *q, tags: []string{anyText()}}
	other := &cart{total: l / 4, items: []item{{}, one}}
	o = call("main.(*cart).add", one.name, one.tags[0], 2, int(d), one.id, q.y)
	sum := other.add(int(d), &one)
	o.returned(other.total, one.name, sum)

	depth := int(next() % 5)
	o = call("main.deep", depth, l/4)
	o.returned(deep(depth, l/4))
}

func main() {
	rounds := 8
	if len(os.Args) > 1 {
		if os.Args[1] == "list" {
			for _, f := range functions {
				fmt.Printf("%s\t%s\t%s|%s\n", f.name, f.atCall, f.atCall, f.atReturn)
			}
			return
		}
		rounds, _ = strconv.Atoi(os.Args[1])
	}
	fmt.Printf("ready %d\n", os.Getpid())
	bufio.NewReader(os.Stdin).ReadString('\n')
	for i := 0; i < rounds; i++ {
		round()
	}
}

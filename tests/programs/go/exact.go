// `exact [ROUNDS | list]` in Go; see exact/exact.h for what it prints.
package main

import (
	"bufio"
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
	{"main.both", "n|s", "result.text|len(result.text)|!result.count"},
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

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Numbers by which the daemon finds holes and constants in a stencil's instructions.  Not a runtime contract: they
// never reach a loaded program.
#ifndef DIAGNOSE_BPF_MARKERS_H
#define DIAGNOSE_BPF_MARKERS_H

enum {
	MARKER_HOLE = 0x5eed0000,
	MARKER_CONSTANT = 0x5eed1000,
	MARKER_MASK = 0x7ffff000,
};

enum hole {
	HOLE_EVALUATE = 1, // an instrument's value, key, payload
	HOLE_ADMIT,	   // does a record want to be made?
	HOLE_CAPTURE,	   // values of the call that the return needs
	HOLE_CALL,	   // the instruments of the call
	HOLE_RETURN,	   // the instruments of the return
	HOLE_ERROR,	   // the instruments of a call that was left without a return
};

enum constant {
	CONSTANT_BASE = 1,    // first word of the instrument in the ledger
	CONSTANT_FRAME_SIZE,  // bytes of one frame
	CONSTANT_RECORD_SIZE, // bytes of the instrument's record
	CONSTANT_INSTRUMENT,  // its index in the probe
	CONSTANT_FRAMES_MAX,  // most frames of a thread
	CONSTANT_FRAMES_MASK, // slots for a thread's frames, a power of two, less one
	CONSTANT_STACKED,     // 1: a function that another one jumps to opens a frame at the same CFA
	CONSTANT_GOROUTINES,  // 1: frames are a goroutine's
	CONSTANT_GAUGE_MASK,  // turns "larger is more extreme, 0 is none" into the value, and back
};

#endif

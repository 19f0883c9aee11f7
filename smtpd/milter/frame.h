/* frame.h - the packets of the milter protocol, version 6, as sendmail and Postfix speak it:
 *
 *     length (4 bytes, network order, of what follows) | command (1 byte) | data
 *
 * The protocol has no RFC; names are those of libmilter's mfdef.h. Texts in data end in NUL.
 *
 * Pure. Slices point into the bytes given.
 */
#pragma once

#include "common/buf.h"

#define FRAME_HEAD     5
#define FRAME_MAX      (1024 * 1024) /* of what a milter says; a longer one is no milter */
#define FRAME_BODY_MAX 65535         /* of one chunk of the body, either way */
#define FRAME_VERSION  6
#define FRAME_OLDEST   2

enum frame_command { /* ours */
                     SMFIC_BODY = 'B',
                     SMFIC_CONNECT = 'C',
                     SMFIC_MACRO = 'D',
                     SMFIC_BODYEOB = 'E',
                     SMFIC_HELO = 'H',
                     SMFIC_HEADER = 'L',
                     SMFIC_MAIL = 'M',
                     SMFIC_EOH = 'N',
                     SMFIC_OPTNEG = 'O',
                     SMFIC_QUIT = 'Q',
                     SMFIC_RCPT = 'R',
                     SMFIC_DATA = 'T',
};

enum frame_answer { /* the milter's */
                    SMFIR_ADDRCPT = '+',
                    SMFIR_DELRCPT = '-',
                    SMFIR_ADDRCPT_PAR = '2',
                    SMFIR_SHUTDOWN = '4',
                    SMFIR_OPTNEG = 'O',
                    SMFIR_ACCEPT = 'a',
                    SMFIR_REPLBODY = 'b',
                    SMFIR_CONTINUE = 'c',
                    SMFIR_DISCARD = 'd',
                    SMFIR_CHGFROM = 'e',
                    SMFIR_CONN_FAIL = 'f',
                    SMFIR_ADDHEADER = 'h',
                    SMFIR_INSHEADER = 'i',
                    SMFIR_CHGHEADER = 'm',
                    SMFIR_PROGRESS = 'p',
                    SMFIR_QUARANTINE = 'q',
                    SMFIR_REJECT = 'r',
                    SMFIR_SKIP = 's',
                    SMFIR_TEMPFAIL = 't',
                    SMFIR_REPLYCODE = 'y',
};

/* What the milter may change: adding, changing and inserting fields, the body, recipients (with
 * parameters too), the sender; quarantine. */
#define FRAME_ACTIONS 0xffu

enum frame_option { /* steps a milter does not want, or does not answer */
                    SMFIP_NOCONNECT = 0x1,
                    SMFIP_NOHELO = 0x2,
                    SMFIP_NOMAIL = 0x4,
                    SMFIP_NORCPT = 0x8,
                    SMFIP_NOBODY = 0x10,
                    SMFIP_NOHDRS = 0x20,
                    SMFIP_NOEOH = 0x40,
                    SMFIP_NR_HDR = 0x80,
                    SMFIP_NOUNKNOWN = 0x100,
                    SMFIP_NODATA = 0x200,
                    SMFIP_SKIP = 0x400,
                    SMFIP_NR_CONN = 0x1000,
                    SMFIP_NR_HELO = 0x2000,
                    SMFIP_NR_MAIL = 0x4000,
                    SMFIP_NR_RCPT = 0x8000,
                    SMFIP_NR_DATA = 0x10000,
                    SMFIP_NR_UNKN = 0x20000,
                    SMFIP_NR_EOH = 0x40000,
                    SMFIP_NR_BODY = 0x80000,
                    SMFIP_HDR_LEADSPC = 0x100000,
};
/* All of those. */
#define FRAME_OPTIONS 0x1ff7ffu

struct frame {
    char command;
    struct slice data;
};

/* One packet at the front; it takes FRAME_HEAD + data.len bytes. */
enum parse frame_parse(struct slice in, struct frame *frame_out);

/* What a milter says, taken apart: which of the fields have a meaning depends on `kind`.
 *     ADDHEADER             name, value
 *     INSHEADER, CHGHEADER  index, name, value
 *     ADDRCPT, DELRCPT      name (an address, with or without <>)
 *     ADDRCPT_PAR, CHGFROM  name, value: parameters
 *     REPLBODY              value: bytes
 *     QUARANTINE            value: why
 *     REPLYCODE             value: "550 5.7.1 ..."
 *     OPTNEG                version, actions, options */
struct frame_reply {
    enum frame_answer kind;
    uint32_t index, version, actions, options;
    struct slice name, value;
};

/* False: no such reply, or it is damaged. */
bool frame_read(const struct frame *frame, struct frame_reply *reply_out);

/* Printing: begin, add data to `out`, end; `at` is what frame_begin() gave. */
size_t frame_begin(struct buf *out, enum frame_command command);
void frame_end(struct buf *out, size_t at);
void frame_add_text(struct buf *out, struct slice text); /* with its NUL; NULs in it are left out */
void frame_add_u32(struct buf *out, uint32_t number);
void frame_add_u16(struct buf *out, uint16_t number);

/* parts.h - the message that RFC 3501 section 6.4.5 lays out to show what part numbers name. */
#pragma once

#define PARTS_4_2_2_1 "plain 4.2.2.1"
#define PARTS_4_2_2                                                                                \
    "--d\r\n\r\n" PARTS_4_2_2_1                                                                    \
    "\r\n--d\r\nContent-Type: text/richtext\r\n\r\nrich 4.2.2.2\r\n--d--"
#define PARTS_4_2_TEXT                                                                             \
    "--c\r\n\r\nplain 4.2.1\r\n--c\r\nContent-Type: multipart/alternative; "                       \
    "boundary=d\r\n\r\n" PARTS_4_2_2 "\r\n--c--\r\n"
#define PARTS_4_2_HEADER "Subject: inner four\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
#define PARTS_4_1_MIME   "Content-Type: image/gif\r\nContent-ID: <pixel@example.test>\r\n\r\n"
#define PARTS_4                                                                                    \
    "--b\r\n" PARTS_4_1_MIME                                                                       \
    "gif 4.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" PARTS_4_2_HEADER PARTS_4_2_TEXT       \
    "\r\n--b--\r\n"
#define PARTS_3_TEXT                                                                               \
    "--e\r\n\r\nplain 3.1\r\n--e\r\nContent-Type: application/octet-stream\r\n\r\nbytes "          \
    "3.2\r\n--e--\r\n"
#define PARTS_3_HEADER "Subject: inner three\r\nContent-Type: multipart/mixed; boundary=e\r\n\r\n"
#define PARTS_TEXT                                                                                 \
    "--a\r\nContent-Type: text/plain\r\n\r\nplain 1\r\n"                                           \
    "--a\r\nContent-Type: application/octet-stream\r\n\r\nbytes 2\r\n"                             \
    "--a\r\nContent-Type: message/rfc822\r\n\r\n" PARTS_3_HEADER PARTS_3_TEXT "\r\n"               \
    "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" PARTS_4 "\r\n--a--\r\n"
#define PARTS_HEADER                                                                               \
    "From: Fred <fred@example.test>\r\nSubject: outer\r\nX-Folded: one\r\n two\r\n"                \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
#define PARTS_MESSAGE PARTS_HEADER PARTS_TEXT

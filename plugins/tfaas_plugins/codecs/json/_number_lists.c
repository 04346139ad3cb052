/* Nested lists of numbers in JSON text, read straight to float64.

Commas and brackets are looked for in 64 bytes at a time, so that no number waits for where the one
before ends, and up to eight digits become an integer at once. What is not as most clients write it
is nobody's here: the caller has another way, which knows what is wrong with it, and says so.

No byte behind the text is read, and none behind the room for numbers is written. */

#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digits are taken from words whose lowest byte comes first"
#endif

#define DEEPEST 8
#define BLOCK 64                    /* bytes, as many as a mask has bits */
#define MOST_DIGITS 19              /* of an integer of 64 bits */
#define LARGEST_POWER 27            /* 5 to it has no more than 64 bits */
#define EXACT_INTEGER (1ULL << 53)  /* each integer below is a float64 */
#define EXACT_POWER 22              /* so is 10 to it */
#define LONG_BYTES (1 << 19)        /* worth to let other threads run meanwhile */

typedef unsigned __int128 uint128;

enum { NO_NUMBER, FLOAT, INTEGER };

static const double POWERS[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t SHIFTS[9] = {1,      10,      100,      1000,     10000,
                                   100000, 1000000, 10000000, 100000000};

/* 5 to the powers from -LARGEST_POWER on, their 128 highest bits. */
static uint128 fives[2 * LARGEST_POWER + 1];

static void fill_fives(void) {
    uint64_t power = 1;
    for (int q = 0; q <= LARGEST_POWER; q++, power *= 5) {
        int zeros = __builtin_clzll(power);
        fives[LARGEST_POWER + q] = (uint128)power << (zeros + 64);
        if (q == 0)
            continue;
        /* 2 to (127 + bits of the power), divided by it and rounded up. */
        uint128 dividend = (uint128)1 << (127 - zeros);
        uint64_t high = (uint64_t)(dividend / power), rest = (uint64_t)(dividend % power);
        uint64_t low = (uint64_t)(((uint128)rest << 64) / power);
        fives[LARGEST_POWER - q] = (((uint128)high << 64) | low) + 1;
    }
}

/* Eight bytes, of which digits are 0 to 9. */
static inline uint64_t eight_at(const char *at) {
    uint64_t bytes;
    memcpy(&bytes, at, 8);
    return bytes ^ 0x3030303030303030ULL;
}

/* The highest bit of each of them that is no digit. */
static inline uint64_t others_in(uint64_t bytes) {
    return ((bytes + 0x7676767676767676ULL) | bytes) & 0x8080808080808080ULL;
}

/* The integer that eight digits spell, the first of them in the lowest byte. */
static inline uint64_t integer_of(uint64_t digits) {
    digits = digits * 10 + (digits >> 8);
    return ((digits & 0x000000FF000000FFULL) * 0x000F424000000064ULL +
            ((digits >> 16) & 0x000000FF000000FFULL) * 0x0000271000000001ULL) >> 32 & 0xFFFFFFFF;
}

/* integer * 10^power, rounded to the nearest float64, the even one of two.

integer > 0, |power| <= LARGEST_POWER. After Lemire, "Number parsing at a gigabyte per second"
(2021), and Mushtak and Lemire, "Fast number parsing without fallback" (2023). */
static double rounded(uint64_t integer, int power) {
    int zeros = __builtin_clzll(integer);
    uint128 five = fives[LARGEST_POWER + power];
    uint64_t scaled = integer << zeros;
    uint128 product = (uint128)scaled * (uint64_t)(five >> 64);
    if (((uint64_t)(product >> 64) & 0x1FF) == 0x1FF)
        product += (uint128)scaled * (uint64_t)five >> 64;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    int is_large = (int)(high >> 63);
    uint64_t mantissa = high >> (is_large + 9);
    int exponent = ((217706 * power) >> 16) + 63 + is_large - zeros + 1023;
    /* Halfway between two: the even one. */
    if (low <= 1 && power >= -4 && power <= 23 && (mantissa & 3) == 1 &&
        mantissa << (is_large + 9) == high)
        mantissa &= ~1ULL;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    /* The hidden bit, and what rounding up carries, count in the exponent. */
    uint64_t bits = ((uint64_t)(exponent - 1) << 52) + mantissa;
    double number;
    memcpy(&number, &bits, 8);
    return number;
}

static inline double with_sign(double number, uint64_t is_negative) {
    uint64_t bits;
    memcpy(&bits, &number, 8);
    bits |= is_negative << 63;
    memcpy(&number, &bits, 8);
    return number;
}

/* Digits from `at` to `end` at most, counted if they signify; NULL: there are too many. */
static const char *digits(const char *at, const char *end, uint64_t *integer, int *count) {
    while (end - at >= 8 && *count && *count + 8 <= MOST_DIGITS) {
        uint64_t bytes = eight_at(at);
        if (others_in(bytes))
            break;
        *integer = *integer * SHIFTS[8] + integer_of(bytes);
        *count += 8;
        at += 8;
    }
    for (; at < end && (unsigned char)(*at - '0') < 10; at++) {
        *integer = *integer * 10 + (uint64_t)(*at - '0');
        *count += *integer != 0;
        if (*count > MOST_DIGITS)
            return NULL;
    }
    return at;
}

/* The exponent that the text from `at` to `end` is all of; false: it is none, or a large one. */
static int exponent_of(const char *at, const char *end, int *exponent) {
    int is_negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end || end - at > 4)
        return 0;
    int found = 0;
    for (; at < end; at++) {
        if ((unsigned char)(*at - '0') >= 10)
            return 0;
        found = found * 10 + (*at - '0');
    }
    *exponent = is_negative ? -found : found;
    return 1;
}

/* The number that the text from `at` to `end` is all of, of whatever form. */
static int any_number(const char *at, const char *end, double *number) {
    uint64_t is_negative = at < end && *at == '-', integer = 0;
    int count = 0, power = 0, kind = INTEGER;
    const char *start = at + is_negative;
    at = digits(start, end, &integer, &count);
    if (at == NULL || at == start || (*start == '0' && at - start > 1))
        return NO_NUMBER;
    if (at < end && *at == '.') {
        start = at + 1;
        at = digits(start, end, &integer, &count);
        if (at == NULL || at == start || at - start > 400)
            return NO_NUMBER;
        power = -(int)(at - start);
        kind = FLOAT;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        int exponent;
        if (!exponent_of(at + 1, end, &exponent))
            return NO_NUMBER;
        power += exponent;
        kind = FLOAT;
        at = end;
    }
    if (at != end)
        return NO_NUMBER;
    if (kind == INTEGER) {
        /* Not every way has -0, or larger ones as a float64 would be. */
        if (integer >= EXACT_INTEGER || (is_negative && integer == 0))
            return NO_NUMBER;
        *number = with_sign((double)integer, is_negative);
    } else if (integer == 0) {
        *number = with_sign(0.0, is_negative);
    } else if (integer < EXACT_INTEGER && power >= -EXACT_POWER && power <= EXACT_POWER) {
        double exact = (double)integer;
        exact = power < 0 ? exact / POWERS[-power] : exact * POWERS[power];
        *number = with_sign(exact, is_negative);
    } else if (power >= -LARGEST_POWER && power <= LARGEST_POWER) {
        *number = with_sign(rounded(integer, power), is_negative);
    } else {
        return NO_NUMBER;
    }
    return kind;
}

/* The same, sooner if it is as most are: one to seven digits, and perhaps a point and not too many behind it.
`limit` is the end of all text. */
static inline int number_at(const char *at, const char *end, const char *limit, double *number) {
    if (limit - end < 8)
        return any_number(at, end, number);
    uint64_t is_negative = *at == '-';
    const char *start = at + is_negative;
    uint64_t bytes = eight_at(start), others = others_in(bytes);
    int before = others ? __builtin_ctzll(others) >> 3 : 8;
    const char *behind = start + before + 1;
    long left = end - behind;
    if (before == 8 || before == 0 || left < -1 || left == 0 || before + left > MOST_DIGITS)
        return any_number(at, end, number);
    uint64_t integer = bytes & 0xFF;
    if (before > 1) {
        if (integer == 0)
            return NO_NUMBER;
        integer = integer_of(bytes << (64 - 8 * before));
    }
    if (left == -1) {
        *number = with_sign((double)integer, is_negative);
        return integer || !is_negative ? INTEGER : NO_NUMBER;
    }
    if (behind[-1] != '.')
        return any_number(at, end, number);
    if (left <= 8) {
        bytes = eight_at(behind) << (64 - 8 * left);
        if (others_in(bytes))
            return any_number(at, end, number);
        integer = integer * SHIFTS[left] + integer_of(bytes);
        *number = with_sign((double)integer / POWERS[left], is_negative);
        return FLOAT;
    }
    /* The same steps for 9 to 18 digits, since nobody can guess how many there are. */
    int second = left < 16 ? (int)left - 8 : 8, third = (int)left - 8 - second;
    uint64_t bytes_2 = eight_at(behind + 8) << (64 - 8 * second);
    uint64_t bytes_3 = third ? eight_at(behind + 16) << (64 - 8 * third) : 0;
    bytes = eight_at(behind);
    if (others_in(bytes) | others_in(bytes_2) | others_in(bytes_3))
        return any_number(at, end, number);
    integer = integer * SHIFTS[8] + integer_of(bytes);
    integer = integer * SHIFTS[second] + integer_of(bytes_2);
    integer = integer * SHIFTS[third] + integer_of(bytes_3);
    double found = integer ? rounded(integer, -(int)left) : 0.0;
    *number = with_sign(found, is_negative);
    return FLOAT;
}

/* The commas and brackets of a block; there may be others, which are none in a number either. */
static inline uint64_t marks_in(const char *block) {
    uint64_t marks = 0;
#ifdef __SSE2__
    const __m128i comma = _mm_set1_epi8(','), bracket = _mm_set1_epi8('Y');
    const __m128i alike = _mm_set1_epi8((char)0xF9);
    for (int at = 0; at < BLOCK; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(block + at));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, comma),
                                     _mm_cmpeq_epi8(_mm_and_si128(bytes, alike), bracket));
        marks |= (uint64_t)(uint32_t)_mm_movemask_epi8(found) << at;
    }
#else
    for (int at = 0; at < BLOCK; at++)
        marks |= (uint64_t)(block[at] == ',' || (block[at] & 0xF9) == 'Y') << at;
#endif
    return marks;
}

static uint64_t marks_at(const char *at, const char *limit) {
    if (limit - at >= BLOCK)
        return marks_in(at);
    char block[BLOCK] = {0};
    memcpy(block, at, (size_t)(limit - at));
    return marks_in(block);
}

/* As many numbers as there may be, and no room for more, which the system would have to clear. */
static Py_ssize_t most_numbers(const char *at, const char *limit) {
    const char *quote = memchr(at, '"', (size_t)(limit - at));
    limit = quote ? quote : limit;
    Py_ssize_t marks = 1;
    for (; at < limit; at += BLOCK)
        marks += __builtin_popcountll(marks_at(at, limit));
    return marks;
}

typedef struct {
    double *numbers;
    Py_ssize_t count, most;
    Py_ssize_t sizes[DEEPEST]; /* of the lists of each level */
    int depth;                 /* of the lists that hold numbers; 0: none has come yet */
    int are_integers;          /* whether all numbers are */
    const char *end;           /* of the text that was read */
} Lists;

static inline int take_number(Lists *lists, const char *at, const char *end, const char *limit,
                              int level) {
    if (lists->depth != level) {
        if (lists->depth)
            return 0;
        lists->depth = level;
    }
    if (lists->count == lists->most)
        return 0;
    int kind = number_at(at, end, limit, lists->numbers + lists->count++);
    lists->are_integers &= kind == INTEGER;
    return kind != NO_NUMBER;
}

/* Reads the lists that begin at `at`; false: they are not as most are. */
static int read_lists(Lists *lists, const char *at, const char *limit) {
    Py_ssize_t sizes[DEEPEST + 1] = {0}, first = 0;
    int level = 0, is_behind_list = 0;
    for (const char *block = at; block < limit; block += BLOCK) {
        for (uint64_t marks = marks_at(block, limit); marks; marks &= marks - 1) {
            const char *mark = block + __builtin_ctzll(marks);
            if (mark < at)
                return 0; /* it was skipped as if it were a space */
            if (*mark == '[') {
                if (mark != at || is_behind_list || level == DEEPEST ||
                    (lists->depth && level == lists->depth))
                    return 0;
                sizes[++level] = 0;
                first = lists->count;
                at = mark + 1;
                continue;
            }
            if (level == 0)
                return 0;
            if (is_behind_list ? mark != at : !take_number(lists, at, mark, limit, level))
                return 0;
            at = mark + 1;
            if (*mark == ',') {
                is_behind_list = 0;
                at += at < limit && *at == ' ';
                continue;
            }
            if (*mark != ']')
                return 0;
            Py_ssize_t size = is_behind_list ? sizes[level] : lists->count - first;
            Py_ssize_t *common = &lists->sizes[--level];
            if (*common == 0)
                *common = size;
            if (size != *common)
                return 0;
            if (level == 0) {
                lists->end = at;
                return 1;
            }
            sizes[level]++;
            is_behind_list = 1;
        }
    }
    return 0;
}

static PyObject *found(const Lists *lists, PyObject *numbers, const char *body) {
    int is_cut = PyByteArray_Resize(numbers, lists->count * (Py_ssize_t)sizeof(double)) == 0;
    PyObject *shape = is_cut ? PyTuple_New(lists->depth) : NULL;
    for (int level = 0; shape != NULL && level < lists->depth; level++)
        if (PyTuple_SetItem(shape, level, PyLong_FromSsize_t(lists->sizes[level])) < 0)
            Py_CLEAR(shape);
    if (shape == NULL) {
        Py_DECREF(numbers);
        return NULL;
    }
    return Py_BuildValue("NNNn", numbers, shape, PyBool_FromLong(lists->are_integers),
                         (Py_ssize_t)(lists->end - body));
}

static PyObject *read_text(PyObject *Py_UNUSED(module), PyObject *args) {
    char *body;
    Py_ssize_t size, at, most;
    PyObject *text;
    if (!PyArg_ParseTuple(args, "Snn:read", &text, &at, &most) ||
        PyBytes_AsStringAndSize(text, &body, &size) < 0)
        return NULL;
    if (at < 0 || at >= size || most <= 0)
        Py_RETURN_NONE;
    Py_ssize_t room = most_numbers(body + at, body + size);
    room = room < most ? room : most;
    PyObject *numbers = PyByteArray_FromStringAndSize(NULL, room * (Py_ssize_t)sizeof(double));
    if (numbers == NULL)
        return NULL;
    Lists lists = {(double *)PyByteArray_AsString(numbers), 0, room, {0}, 0, 1, NULL};
    int are_usual;
    if (size - at < LONG_BYTES) {
        are_usual = read_lists(&lists, body + at, body + size);
    } else {
        Py_BEGIN_ALLOW_THREADS
        are_usual = read_lists(&lists, body + at, body + size);
        Py_END_ALLOW_THREADS
    }
    if (are_usual)
        return found(&lists, numbers, body);
    Py_DECREF(numbers);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"read", read_text, METH_VARARGS,
     "read(text, at, most)\n--\n\n"
     "The nested lists of at most so many numbers that begin at a place in a text.\n\n"
     "Their float64s, the shape, whether all are integers, and where the text behind them begins.\n"
     "None: they are not as most are, and to be read in another way."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, "_number_lists", NULL, 0, methods,
                             NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__number_lists(void) {
    fill_fives();
    return PyModuleDef_Init(&module);
}

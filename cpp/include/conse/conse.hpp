// Everything: exact zero-shot ranking by convex combination of semantic embeddings (arXiv 1312.5650).
#pragma once

#include "conse/error.hpp"
#include "conse/execution.hpp"
#include "conse/explanation.hpp"
#include "conse/index.hpp"
#include "conse/limits.hpp"
#include "conse/matrix_view.hpp"
#include "conse/primitives.hpp"
#include "conse/target.hpp"

"""Every Python block of the documentation compiles, and what it imports is there."""

import ast

import pytest

from tests.support.doc_blocks import Block, blocks


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_the_block_compiles_and_its_imports_work(block: Block) -> None:
    tree = ast.parse(block.text)
    imports = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module(imports, []), str(block), "exec"), {})

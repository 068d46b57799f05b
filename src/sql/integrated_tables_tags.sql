-- The catalogue with the words of its items: genres and tags, lower-case, as often as given.
--
-- Parameters: none
-- Grain:      one row a movie, also those that nobody rated, ordered by id; words in code point
--             order, an empty array where there are none

with genre_words as (
    select
        movies.movie_id,
        lower(genres.genre) as word
    from movies
    cross join lateral unnest(movies.genres) as genres (genre)
),

tag_words as (
    select
        movie_id,
        lower(tag) as word
    from tags
),

words as (
    select
        movie_id,
        word
    from genre_words
    union all
    select
        movie_id,
        word
    from tag_words
),

words_of_movies as (
    select
        movie_id,
        array_agg(word order by word collate "C") as words
    from words
    group by movie_id
)

select
    movies.movie_id,
    movies.title,
    coalesce(words_of_movies.words, '{}') as words
from movies
left join words_of_movies on movies.movie_id = words_of_movies.movie_id
order by movies.movie_id
